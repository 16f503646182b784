"""Client of deephar-serve."""

from deephar.client import Client

__all__ = ["Client"]
