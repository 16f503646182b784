"""Code blocks of a page: commands, programs, and what they print."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *(ROOT / "clients" / name / "README.md" for name in ("python", "web")),
    ROOT / "models" / "lite" / "README.md",
]
SHELL, OUTPUT = ("", "sh"), ("json", "text")

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        language: As it stands there.
        text: What is in it.
        place: File and line.
        follows: Whether nothing but blank lines is between this block and the one before.
    """

    language: str
    text: str
    place: str
    follows: bool

    @property
    def commands(self) -> list[str]:
        """The commands of a shell, each with its continuation lines."""
        lines = self.text.replace("\\\n", "\n\\").splitlines()
        joined: list[str] = []
        for line in lines:
            if line.startswith("\\"):
                joined[-1] += f" {line[1:].strip()}"
            elif line.strip() and not line.startswith("#"):
                joined.append(line)
        return [re.sub(r"\s+# .*", "", line).strip() for line in joined]


def blocks_of(page: Path) -> Iterator[Block]:
    text, end = page.read_text(), 0
    for found in _FENCE.finditer(text):
        place = f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, found.start()) + 1}"
        yield Block(found[1], found[2], place, bool(end) and not text[end : found.start()].strip())
        end = found.end()
