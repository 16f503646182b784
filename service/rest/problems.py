"""Errors as RFC 9457 problem details. Unforeseen errors do not show their cause to the caller."""

from __future__ import annotations

import logging

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from service.errors import DeepharError, InvalidArgument, Unauthenticated
from service.rest.schemas import Problem
from service.status import INTERNAL_DETAIL, STATUS
from service.telemetry.request import observed, request_id

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


def problem(status: int, title: str, detail: str, code: str, headers: dict[str, str] | None = None) -> Response:
    body = Problem(title=title, status=status, detail=detail, code=code, request_id=request_id()).model_dump()
    return JSONResponse(body, status, headers, media_type=MEDIA_TYPE)


def problem_of(error: DeepharError) -> Problem:
    """Returns the problem details of one of the service's own errors, as a part of an answer."""
    status = STATUS[error.code]
    return Problem(title=status.title, status=status.http, detail=str(error), code=error.code, request_id=request_id())


def own_error(error: DeepharError) -> Response:
    """Returns the problem details of one of the service's own errors."""
    headers = {"Retry-After": str(error.retry_after_s)} if error.retry_after_s is not None else {}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    body = problem_of(error)
    return problem(body.status, body.title, body.detail, body.code, headers)


def internal() -> DeepharError:
    """Returns what callers are told of an unforeseen error."""
    return DeepharError(INTERNAL_DETAIL)


def internal_error() -> Response:
    """Returns the problem details of an unforeseen error."""
    return own_error(internal())


def install(app: FastAPI) -> None:
    """Adds the exception handlers to the application."""

    @app.exception_handler(DeepharError)
    async def _(_: Request, error: DeepharError) -> Response:
        return own_error(error)

    @app.exception_handler(RequestValidationError)
    async def _(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        return own_error(InvalidArgument(f"{where}: {first['msg']}"))

    @app.exception_handler(HTTPException)
    async def _(_: Request, error: HTTPException) -> Response:
        if error.status_code == 400:  # a form that cannot be parsed
            return own_error(InvalidArgument(f"the body cannot be read: {error.detail}"))
        codes = {404: "not_found", 405: "method_not_allowed"}
        code = codes.get(error.status_code, "invalid_argument")
        return problem(
            error.status_code, str(error.detail), f"{error.detail}; see /docs", code, dict(error.headers or {})
        )

    @app.exception_handler(ClientDisconnect)
    async def _(_: Request, __: ClientDisconnect) -> Response:
        return Response(status_code=400)  # not read by anybody

    @app.exception_handler(Exception)
    async def _(request: Request, error: Exception) -> Response:
        present = observed()
        log.error("%s %s failed", request.method, present.route if present else "", exc_info=error)
        return internal_error()
