"""The version of the service and of its client."""

__version__ = "0.2.0"
