"""Publishes and withdraws models of the engine repository as a whole: a Triton may be polling it."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

from models.files.folder_swap import put_in_place
from models.tensorrt_engine import report
from models.tensorrt_engine.problem import EngineProblem

_STAGE = ".deephar-new"  # in the repository itself: a rename does not leave its file system


def publish(engines: Path, name: str, files: Mapping[str, bytes]) -> None:
    """Writes the model `name` aside, then renames it into place; until then the earlier one serves.

    An identical model that is there already is left alone: a polling Triton would reload it.

    Args:
        engines: The engine repository.
        name: The model's folder in it.
        files: Contents by path in that folder.

    Raises:
        EngineProblem: There is a folder of that name that `publish` has not written, such as an ONNX model.
    """
    if _holds(engines / name, files):
        return
    refuse_others_folders(engines, [name])
    stage = engines / _STAGE
    shutil.rmtree(stage, ignore_errors=True)  # of a run that was stopped
    new, target = stage / name, engines / name
    try:
        for path, content in files.items():
            file = new / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        put_in_place(new, target)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def refuse_others_folders(engines: Path, names: Collection[str]) -> None:
    """Raises EngineProblem where publishing would replace a folder that `publish` has not written."""
    for name in names:
        if (engines / name).exists() and not _is_ours(engines / name):
            raise EngineProblem(
                f"{engines / name} is there and is no engine of this command's making; it is not replaced. "
                "Choose another folder with --engines, or remove it."
            )


def withdraw(engines: Path, name: str) -> None:
    """Removes the model `name`, if `publish` has written it."""
    if _is_ours(engines / name):
        shutil.rmtree(engines / name)


def withdraw_all_but(engines: Path, names: Collection[str]) -> list[str]:
    """Removes all other models that `publish` has written, and returns their names."""
    gone = [folder.name for folder in sorted(engines.glob("*")) if _is_ours(folder) and folder.name not in names]
    for name in gone:
        withdraw(engines, name)
    return gone


def _is_ours(folder: Path) -> bool:
    return (folder / report.FILE).is_file() and (folder / "config.pbtxt").is_file()


def _holds(folder: Path, files: Mapping[str, bytes]) -> bool:
    there = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    return there == files.keys() and all((folder / path).read_bytes() == files[path] for path in there)
