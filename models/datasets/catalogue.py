"""The data sets by name. Each stands in a module of its own that has SPLITS, `open_split` and `inspect`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from models.datasets.samples import Dataset

# Loaded only when asked for.
MODULES = {
    "mpii": "models.datasets.mpii",
    "lsp": "models.datasets.lsp",
    "lspet": "models.datasets.lspet",
    "coco": "models.datasets.coco",
    "h36m": "models.datasets.h36m",
    "penn": "models.datasets.penn",
    "ntu": "models.datasets.ntu",
}


def module_of(name: str) -> ModuleType:
    """The module of a data set."""
    return import_module(MODULES[name])


def open_split(name: str, folder: Path, split: str, **options: Any) -> Dataset[Any]:
    """A split of a data set.

    Args:
        name: One of `MODULES`.
        folder: Of the data set.
        split: One of its module's SPLITS.
        options: What only this data set knows, as `protocol="cross-view"` of NTU or `boxes=Path(...)` of Penn Action.

    Raises:
        DataProblem: Files are missing or are not those of the data set.
    """
    dataset: Dataset[Any] = module_of(name).open_split(folder, split, **options)
    return dataset
