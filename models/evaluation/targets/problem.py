"""What speaks against asking a target."""

from __future__ import annotations


class TargetProblem(Exception):
    """The target cannot be asked, or has failed; the text says why and what to do."""
