"""The use cases, independent of the transports."""
