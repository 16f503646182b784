"""What a batch has to do, what of it is done, and what is left."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from deephar.bulk.engine import Failed
from deephar.bulk.error_list import ErrorList
from deephar.bulk.inputs import Input, Kind, Source
from deephar.bulk.options import BatchOptions
from deephar.bulk.output_folder import OutputFolder
from deephar.bulk.progress import Progress


@dataclass
class Batch:
    """What is to be done, and how far it is.

    Args:
        source: Of the inputs.
        output: Where the results go; owned by this process.
        options: Of the calls.
        errors: The inputs that cannot be answered.
        progress: For people.
    """

    source: Source
    output: OutputFolder
    options: BatchOptions
    errors: ErrorList
    progress: Progress
    stopping: threading.Event = field(default_factory=threading.Event)

    def left(self, kind: Kind) -> Iterator[Input]:
        """Yields the inputs of a kind that have neither a result nor an error; those that are neither are pictures."""
        for input in self.source.inputs():
            if self.stopping.is_set():
                return
            if (input.kind or "picture") != kind:
                continue
            if input.id in self.errors or self.output.has_result(input.id):
                self.progress.before += 1
            else:
                yield input

    def done(self, input: Input, failed: Failed | None) -> None:
        """Notes that an input has a result, or why it has none."""
        self.progress.done += 1
        if failed is not None:
            self.progress.failed += 1
            self.errors.add(input.id, failed.code, failed.detail)

    def finished(self) -> Iterator[Input]:
        """Yields the inputs that have results."""
        return (input for input in self.source.inputs() if self.output.has_result(input.id))

    def count(self) -> None:
        """Says how many inputs there are."""
        total = 0
        for _ in self.source.inputs():
            if self.stopping.is_set():
                return
            total += 1
        self.progress.expect(total)
