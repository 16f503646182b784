"""What lies in a data set's folder, file by file: the answer of `deephar-models data check`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """How a file, or a group of files, is."""

    OK = "ok"
    UNKNOWN = "unknown"  # it can be read, but is not the published version: figures may differ from the papers'
    MISSING = "missing"
    WRONG = "wrong"

    @property
    def is_problem(self) -> bool:
        """Whether the data set cannot be used as it is."""
        return self in (State.MISSING, State.WRONG)


@dataclass(frozen=True)
class Finding:
    """One file, or one group of files, of a data set."""

    what: str  # relative to the data set's folder, such as "annotations.mat" or "images/*.jpg"
    state: State
    found: str  # what is there, in a sentence
    source: str  # where it comes from: the owner's page, or deephar's release with its MD5


def report(findings: Sequence[Finding]) -> str:
    """The findings as text: a line each, and below those that are not as they should be, where they come from."""
    lines, said = [], ""
    for finding in findings:
        lines.append(f"{finding.state.value:<8} {finding.what}: {finding.found}")
        if finding.state is not State.OK:
            source = finding.source if finding.source != said else "the same place"
            lines += _indented(f"from {source}")
            said = finding.source
    return "\n".join(lines)


def _indented(text: str) -> list[str]:
    first, *others = text.splitlines()
    return [f"{'':<11}{first}", *(f"{'':<16}{line}" for line in others)]
