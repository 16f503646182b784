"""Whether what a command printed is what a page shows of it.

`...` stands for anything: in a text for lines or a part of a line, in JSON for elements, fields, documents or a value.
Numbers may differ by what other processors and precisions make of them; whole numbers of JSON and the times of one
machine apart.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

REST = "..."
NEAR, NEAR_PX, NEAR_SHARE = 0.05, 5.0, 0.1  # of scores; of coordinates, which have one digit; of all others

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?!\w*\.\w)")
_FIGURE = re.compile(rf"{_NUMBER.pattern}|(?<!\S)-(?!\S)")  # a dash where there is none at present


def documents(text: str) -> list[Any]:
    """Returns the JSON documents in a text, one after the other.

    Raises:
        ValueError: It is no JSON.
    """
    found, decoder = [], json.JSONDecoder()
    text = text.strip()
    while text:
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:].strip()
    return found


def same_json(shown: Any, printed: Any, name: str = "") -> bool:
    """Whether a document is what is shown; `name` is that of its field."""
    if shown == REST:
        return True
    match shown:
        case dict():
            return isinstance(printed, dict) and _same_fields(shown, printed, name)
        case list():
            return isinstance(printed, list) and _same_row(shown, printed, same_json, REST, name)
        case int() | float() if not isinstance(shown, bool):
            return _same_number(shown, printed, name)
        case _:
            return bool(shown == printed)


def _same_fields(shown: dict[str, Any], printed: dict[str, Any], name: str) -> bool:
    wanted = shown.keys() - {REST}
    if not wanted <= printed.keys() or (REST not in shown and wanted != printed.keys()):
        return False
    return all(same_json(shown[key], printed[key], name if _is_time(name) else key) for key in wanted)


def _same_number(shown: float, printed: Any, name: str) -> bool:
    if isinstance(printed, bool) or not isinstance(printed, int | float):
        return False
    if _is_time(name):
        return True
    return shown == printed if isinstance(shown, int) else near(str(shown), float(printed))


def _is_time(name: str) -> bool:
    """Whether it is a time of the machine that the page was written on."""
    return name in ("timing_ms", "lag_ms")


def near(shown: str, printed: float) -> bool:
    """Whether a number is the shown one, as far as processors agree."""
    value, digits = float(shown), len(shown.partition(".")[2])
    least = NEAR_PX if digits == 1 else NEAR if digits else 0.0
    return abs(printed - value) <= max(NEAR_SHARE * abs(value), least)


def same_text(shown: str, printed: str, figures: bool = True) -> bool:
    """Whether a text is what is shown; without `figures` numbers are not compared."""

    def same_line(line: str, other: str, _: str) -> bool:
        return _same_line(line, other, figures)

    return _same_row(_lines(shown), _lines(printed), same_line, REST, "")


def _lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.strip().splitlines()]


def _same_line(shown: str, printed: str, figures: bool) -> bool:
    number = _NUMBER if figures else _FIGURE
    parts = [f"({number.pattern})".join(map(re.escape, number.split(part))) for part in shown.split(REST)]
    found = re.fullmatch(".*".join(parts), printed)
    if found is None:
        return False
    return not figures or all(
        near(one, float(other)) for one, other in zip(number.findall(shown), found.groups(), strict=True)
    )


def _same_row(shown: Sequence[Any], printed: Sequence[Any], same: Any, rest: str, name: str) -> bool:
    """Whether elements are those that are shown, of which `rest` stands for any number."""
    if not shown:
        return not printed
    if shown[0] == rest:
        return any(_same_row(shown[1:], printed[i:], same, rest, name) for i in range(len(printed) + 1))
    return bool(printed) and same(shown[0], printed[0], name) and _same_row(shown[1:], printed[1:], same, rest, name)
