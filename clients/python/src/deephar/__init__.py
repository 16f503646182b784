"""The Python client of deephar-serve: `Client` for calls, `deephar.video` for frames of video files."""

from deephar.client import Camera, Client
from deephar.version import __version__

__all__ = ["Camera", "Client", "__version__"]
