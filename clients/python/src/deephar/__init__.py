"""The Python client of deephar-serve: `Client` and `AsyncClient`, over gRPC or REST.

Everything here is imported when it is used first: `import deephar` alone loads neither gRPC nor HTTP nor NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deephar.version import __version__

if TYPE_CHECKING:
    from deephar.aio import AsyncClient
    from deephar.capture import Capture
    from deephar.client import Client
    from deephar.errors import DeepharError
    from deephar.frames import Flush, Frame, TrackedBox
    from deephar.options import Camera

__all__ = [
    "AsyncClient",
    "Camera",
    "Capture",
    "Client",
    "DeepharError",
    "Flush",
    "Frame",
    "TrackedBox",
    "__version__",
]

_PLACES = {
    "AsyncClient": "aio",
    "Camera": "options",
    "Capture": "capture",
    "Client": "client",
    "DeepharError": "errors",
    "Flush": "frames",
    "Frame": "frames",
    "TrackedBox": "frames",
}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
