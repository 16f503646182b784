"""URLs of settings for people to read: a user, a password or a query may be secret."""

from __future__ import annotations

from urllib.parse import urlsplit


def bare(url: str) -> str:
    """Returns a URL without its user, its password and what its query says."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{host_of(url)}{parts.path}{'?...' if parts.query else ''}"


def host_of(url: str) -> str:
    """Returns its host, with the port where it has one."""
    return urlsplit(url).netloc.rpartition("@")[2]
