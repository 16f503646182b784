"""Client of deephar-serve."""

from deephar.client import Camera, Client
from deephar.version import __version__

__all__ = ["Camera", "Client", "__version__"]
