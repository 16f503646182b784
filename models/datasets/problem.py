"""What a data set's folder can have wrong."""

from __future__ import annotations


class DataProblem(Exception):
    """The files are not those of the data set; the text says what is there, what is missing and what to do."""
