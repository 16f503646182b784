"""Text of callers in lines of the log: what would begin a new line, or move the cursor of a terminal, is escaped."""

from __future__ import annotations

import json
import re

# Controls of ASCII and Latin-1, line and paragraph separators, marks that turn the direction of text, lone surrogates.
_DANGEROUS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_PLAIN = re.compile(r"[\w.@:/+-]+", re.ASCII)


def escaped(text: str) -> str:
    """Returns the text as one line, which a terminal shows as it is."""
    if text.isascii() and text.isprintable():  # as most are
        return text
    return _DANGEROUS.sub(_escape, text)


def word(text: str) -> str:
    """Returns the text as the value of `name=value`: in quotes, where it could be taken for more than one word."""
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def encodable(text: str) -> str:
    """Returns the text with lone surrogates escaped, which no encoding has."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    number = ord(character)
    return _SHORT.get(character) or (f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}")
