"""What an evaluation can fail with that its user can mend."""

from __future__ import annotations


class EvaluationProblem(Exception):
    """The evaluation cannot be made as asked; the text says what to do."""
