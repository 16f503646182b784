"""Why no model of own actions can be made."""

from __future__ import annotations


class CannotTrain(Exception):
    """No model can be made of what was given; the text says what to do."""
