"""`errors.jsonl`: the inputs that cannot be answered, one line for each."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from typing import Any

from deephar.bulk.output_folder import ERRORS, OutputFolder, digest_of


class ErrorList:
    """The errors of a batch. An input in it is done: it is not asked for again.

    Args:
        output: Owned by this process.
        forget: Whether the errors of former runs are left out, and their inputs are tried again.
    """

    def __init__(self, output: OutputFolder, forget: bool = False) -> None:
        self._output, self.path = output, str(output.folder / ERRORS)
        self._known: set[bytes] = set()
        if forget:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)
        self._repair()
        self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115 - closed by `close`

    def __contains__(self, id: str) -> bool:
        return bool(self._known) and digest_of(id) in self._known

    def __len__(self) -> int:
        return len(self._known)

    def add(self, id: str, code: str, detail: str) -> None:
        """Appends an error; a second one of the same input is left out."""
        digest = digest_of(id)
        if digest not in self._known:
            self._known.add(digest)
            self._file.write(json.dumps({"file": id, "code": code, "detail": detail}).encode() + b"\n")

    def close(self) -> None:
        """Closes the file and sorts its lines by input, so that two runs have the same file; none is left out empty."""
        self._file.close()
        if not self._known:
            os.unlink(self.path)
            return
        lines = sorted(self._lines(), key=lambda line: str(line["file"]))
        self._output.write_lines(self.path, (json.dumps(line) + "\n" for line in lines))

    def _repair(self) -> None:
        """Reads what is there. A last line that was cut off by a kill is removed: its input is tried again."""
        self._known.update(digest_of(line["file"]) for line in self._lines())
        try:
            with open(self.path, "rb") as file:
                written = sum(1 for _ in file)
        except FileNotFoundError:
            return
        if written > len(self._known):
            unique = {line["file"]: line for line in self._lines()}
            self._output.write_lines(self.path, (json.dumps(line) + "\n" for line in unique.values()))

    def _lines(self) -> Iterator[dict[str, Any]]:
        with contextlib.suppress(FileNotFoundError), open(self.path, "rb") as file:
            for line in file:
                with contextlib.suppress(ValueError):
                    known = json.loads(line) if line.endswith(b"\n") else None
                    if isinstance(known, dict) and "file" in known:
                        yield known
