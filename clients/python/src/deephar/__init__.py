"""Client of deephar-serve."""

from deephar.client import Camera, Client

__all__ = ["Camera", "Client"]
