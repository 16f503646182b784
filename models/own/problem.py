"""Why a network cannot be added."""

from __future__ import annotations


class CannotAdd(Exception):
    """The network cannot be added; the text says what to do."""
