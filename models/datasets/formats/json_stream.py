"""Reads a large JSON object's lists element by element, so that only what is taken from them stays in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models.datasets.formats.content import foreign_content
from models.datasets.problem import DataProblem

_BLANK = " \t\r\n"


def members(file: Path) -> Iterator[tuple[str, Any]]:
    """The members of the object in a file: (name, value), and once for each element where the value is a list.

    Raises:
        DataProblem: The file is cut, or holds no JSON object.
    """
    if problem := foreign_content(file):
        raise DataProblem(f"{file}: {problem}")
    try:
        yield from _members(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise DataProblem(f"{file} is damaged ({error}): download it again") from error
    except (json.JSONDecodeError, IndexError) as error:
        reason = "it ends early" if isinstance(error, IndexError) else error
        raise DataProblem(f"{file} is cut or damaged ({reason}): download it again") from error


def _members(text: str) -> Iterator[tuple[str, Any]]:
    decoder = json.JSONDecoder()
    at = _after_blank(text, _expect(text, _after_blank(text, 0), "{"))
    while text[at] != "}":
        name, at = decoder.raw_decode(text, at)
        at = _after_blank(text, _expect(text, _after_blank(text, at), ":"))
        if text[at] != "[":
            value, at = decoder.raw_decode(text, at)
            yield name, value
        else:
            at = _after_blank(text, at + 1)
            while text[at] != "]":
                value, at = decoder.raw_decode(text, at)
                yield name, value
                at = _after_comma(text, at, "]")
            at += 1
        at = _after_comma(text, at, "}")


def _after_comma(text: str, at: int, end: str) -> int:
    at = _after_blank(text, at)
    return at if text[at] == end else _after_blank(text, _expect(text, at, ","))


def _after_blank(text: str, at: int) -> int:
    while text[at] in _BLANK:
        at += 1
    return at


def _expect(text: str, at: int, wanted: str) -> int:
    if text[at] != wanted:
        raise json.JSONDecodeError(f"Expecting {wanted!r}", text, at)
    return at + 1
