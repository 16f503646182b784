"""An evaluation from its data set and target to the files that it writes."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import PIL

from models.datasets.samples import Dataset
from models.evaluation import plots, record, tables
from models.evaluation.asked import answered
from models.evaluation.figures import Counting, Outcome
from models.evaluation.journal import Journal, Row
from models.evaluation.problem import EvaluationProblem
from models.evaluation.protocols.protocol import Protocol
from models.files.whole_file import write_whole

TABLE = "table.md"


@dataclass(frozen=True)
class Asked:
    """What is evaluated, by whom."""

    dataset: Dataset[Any]
    protocol: Protocol[Any]
    model: str
    target: str
    model_sha256: str
    software: Mapping[str, str]


def evaluate(
    asked: Asked, folder: Path, *, counting: Counting, limit: int | None = None, again: bool = False
) -> dict[str, Any]:
    """Evaluates, going on where an earlier call was stopped, and writes record, table and plots.

    Args:
        asked: What is evaluated.
        folder: Of the evaluation: journal, record, table, plots.
        counting: The one that the record names.
        limit: Only so many samples.
        again: Begin anew.

    Returns:
        The record.

    Raises:
        EvaluationProblem: The folder has another evaluation.
        DataProblem: A file cannot be read. What is done is kept.
    """
    total = len(asked.dataset) if limit is None else min(limit, len(asked.dataset))
    if not total:
        raise EvaluationProblem(f"the split {asked.dataset.split} has no samples")
    with Journal(folder, _identity(asked), again) as journal:
        if again:  # what is there is of other rows
            for name in (record.NAME, TABLE):
                (folder / name).unlink(missing_ok=True)
        # Beyond `limit` there may be rows of an earlier call without it.
        _fill(asked.protocol, asked.dataset, journal, total)
        rows = journal.rows[:total]
    outcome = asked.protocol.outcome(rows)
    parts = [part for part in outcome.parts if part.of != "block" or len(part.values) > 1]
    outcome = replace(outcome, parts=parts, notes=[*outcome.notes, *asked.protocol.notes])
    return _write(_about(asked, rows, counting), outcome, folder)


def _fill(protocol: Protocol[Any], dataset: Dataset[Any], journal: Journal, total: int) -> None:
    """Asks for what the journal has not."""
    from tqdm import tqdm

    if len(journal.rows) >= total:
        return
    # From here batches are the same as without the stop, and so is every digit.
    journal.keep(len(journal.rows) // protocol.align * protocol.align)
    begin = len(journal.rows)
    sums = np.zeros(2)
    for row in journal.rows:
        sums += protocol.so_far(row)
    samples = (dataset[index] for index in range(begin, total))
    with tqdm(total=total, initial=begin, unit=" samples", dynamic_ncols=True, disable=None) as bar:
        last = time.perf_counter()
        for sample, answers in answered(protocol, samples):
            row = protocol.row(sample, answers)
            now = time.perf_counter()
            row["seconds"], last = now - last, now
            journal.add(row)
            sums += protocol.so_far(row)
            bar.set_postfix_str(protocol.running.text(*sums), refresh=False)
            bar.update()


def _identity(asked: Asked) -> dict[str, Any]:
    """What the rows of a journal depend on."""
    return {
        "dataset": asked.dataset.name,
        "model": asked.model,
        "target": asked.target,
        "model_sha256": asked.model_sha256,
        "settings": asked.protocol.settings,
        "data_fingerprint": asked.dataset.fingerprint(),
    }


def _about(asked: Asked, rows: Sequence[Row], counting: Counting) -> dict[str, Any]:
    return {
        **_identity(asked),
        "protocol": counting,
        "software": {
            "deephar-serve": _version("deephar-serve", "deephar-client"),
            "python": platform.python_version(),
            "platform": sys.platform,
            "numpy": np.__version__,
            "pillow": PIL.__version__,
            **asked.software,
        },
        "samples": len(rows),
        "samples_of_split": len(asked.dataset),
        "failed": {row["key"]: row["failed"] for row in rows if "failed" in row},
        "seconds": round(sum(row["seconds"] for row in rows), 3),
    }


def _write(about: dict[str, Any], outcome: Outcome, folder: Path) -> dict[str, Any]:
    title = f"{about['model']} on {about['dataset']} {about['settings']['split']}, {about['target']}"
    about["plots"] = plots.draw(outcome, folder, title)
    document = record.record(about, outcome)
    write_whole(folder / TABLE, tables.page(document, outcome).encode())
    write_whole(folder / record.NAME, record.as_text(document).encode())  # last: where it stands, all is there
    return document


def _version(*packages: str) -> str:
    """Of the first package that is installed; their versions are one."""
    for package in packages:
        try:
            return version(package)
        except PackageNotFoundError:
            continue
    return "unknown"
