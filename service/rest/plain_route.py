"""Routes whose endpoints read the request themselves."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute


class PlainRoute(APIRoute):
    """A documented route that calls its endpoint with the request: FastAPI has no parameters or answers to convert."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Returns the endpoint."""
        return self.endpoint
