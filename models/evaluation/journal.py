"""The journal of an evaluation: one line for each sample that is done, so that a stopped evaluation goes on.

The first line says what is evaluated. A line that was cut off when the process was killed is dropped.
"""

from __future__ import annotations

import base64
import fcntl
import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from models.evaluation.problem import EvaluationProblem

NAME = "journal.jsonl"

Row = dict[str, Any]  # "key", "seconds" and what the protocol notes of a sample: numbers, texts and NumPy arrays


class Journal:
    """The rows of one evaluation, locked against other processes while it is open."""

    def __init__(self, folder: Path, identity: Mapping[str, Any], again: bool = False) -> None:
        """Opens the journal of a folder and reads its rows.

        Args:
            folder: Of the evaluation; it is made.
            identity: What the rows depend on: model, data, protocol.
            again: Begin anew, whatever is there.

        Raises:
            EvaluationProblem: The journal is of another evaluation, or another process writes it.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / NAME
        self._file = self.path.open("a+b")
        try:
            self._lock()
            if again:
                self._file.truncate(0)
            self.rows = self._read(json.loads(json.dumps(identity)))
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, row: Row) -> None:
        """Appends a row; it outlives the process from here on."""
        self._write(row)
        self.rows.append(row)

    def keep(self, count: int) -> None:
        """Drops all rows but the first `count`."""
        if count >= len(self.rows):
            return
        self._file.seek(0)
        for _ in range(1 + count):
            self._file.readline()
        self._file.truncate(self._file.tell())
        del self.rows[count:]

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EvaluationProblem(
                f"{self.path.parent} is in use: another evaluation writes there; choose another --out"
            ) from None

    def _read(self, identity: Mapping[str, Any]) -> list[Row]:
        self._file.seek(0)
        entries, end = [], 0
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            try:
                entries.append(json.loads(line, object_hook=_decoded))
            except ValueError:
                break
            end += len(line)
        self._file.truncate(end)
        if not entries:
            self._write(dict(identity))
            return []
        self._check(entries[0], identity)
        return entries[1:]

    def _check(self, found: Any, identity: Mapping[str, Any]) -> None:
        if not isinstance(found, dict):
            found = {}
        for name in {**identity, **found}:
            if found.get(name) != identity.get(name):
                raise EvaluationProblem(
                    f"{self.path.parent} has another evaluation: its {name} is {_short(found.get(name))}, here it is "
                    f"{_short(identity.get(name))}. Choose another --out, or --again to begin anew"
                )

    def _write(self, entry: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(entry, default=_encoded, separators=(",", ":")).encode() + b"\n")
        self._file.flush()


def _encoded(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return {
            "array": base64.b64encode(np.ascontiguousarray(value).tobytes()).decode(),
            "type": value.dtype.str,
            "shape": value.shape,
        }
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be written")


def _decoded(entry: dict[str, Any]) -> Any:
    if entry.keys() != {"array", "type", "shape"}:
        return entry
    return np.frombuffer(base64.b64decode(entry["array"]), entry["type"]).reshape(entry["shape"])


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
