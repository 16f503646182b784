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
    """The findings as text: a block each, and where the missing and the wrong ones come from."""
    lines = []
    for finding in findings:
        lines.append(f"{finding.state.value:<8} {finding.what}: {finding.found}")
        if finding.state is not State.OK:
            lines += [f"{'':<8}   from {line}" if not at else f"{'':<8}        {line}"
                      for at, line in enumerate(finding.source.splitlines())]  # fmt: skip
    return "\n".join(lines)
