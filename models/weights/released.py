"""deephar's released weights: their names, where they are published, where they lie on this machine.

Names, places and checksums are those of the original repository's README and evaluation scripts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_REPOSITORY = "https://github.com/dluvizon/deephar"


@dataclass(frozen=True)
class Released:
    """One published weights file."""

    model: str  # the name that callers of the service use
    file: str
    md5: str | None  # None: none is published
    place: str  # where it is published, for people
    url: str  # the file itself
    page: str  # where a browser gets it


def _on_github(model: str, tag: str, file: str, md5: str) -> Released:
    return Released(
        model=model,
        file=file,
        md5=md5,
        place=f"GitHub release {tag}",
        url=f"{_REPOSITORY}/releases/download/{tag}/{file}",
        page=f"{_REPOSITORY}/releases/tag/{tag}",
    )


def _on_drive(model: str, identifier: str, file: str) -> Released:
    return Released(
        model=model,
        file=file,
        md5=None,
        place="Google Drive",
        # confirm=t: without it Drive asks, on an HTML page, about large files that it does not scan for viruses.
        url=f"https://drive.usercontent.google.com/download?id={identifier}&export=download&confirm=t",
        page=f"https://drive.google.com/file/d/{identifier}/view",
    )


RELEASED = (
    _on_github("mpii", "v0.1", "weights_PE_MPII_cvpr18_19-09-2017.h5", "d6b85ba4b8a3fc9d05c8ad73f763d999"),
    _on_github("h36m", "v0.2", "weights_3DPE_H36M_cvpr18_Nov-2017.h5", "af79f83ad939117d4ccc2cf1d4bd37d2"),
    _on_drive("penn", "106yIhqNN-TrI34SX81q2xbU-NczcQj6I", "weights_mpii+penn_ar_028.hdf5"),
    _on_drive("ntu", "1I6GftXEkL5nohLA60Vi6faW0rvTZg6Kx", "weights_3dp+ntu_ar_062.hdf5"),
    _on_github("penn-cvpr18", "v0.3", "weights_AR_merge_ep074_26-10-17.h5", "f53f89257077616a79a6c1cd1702d50f"),
    _on_github("ntu-cvpr18", "v0.4", "weights_AR_merge_NTU_v2.h5", "ff98d70a7f6bc5976cc11c7a5760e8b7"),
)


def released_for(model: str) -> Released:
    """The released weights of a model.

    Raises:
        KeyError: There are none.
    """
    return {released.model: released for released in RELEASED}[model]


def released_file(released: Released, cache: Path) -> Path:
    """Where the published file lies after a download."""
    return cache / "released" / released.file


def imported_file(model: str, cache: Path) -> Path:
    """Where the weights of `model` lie after the import."""
    return cache / "imported" / f"{model}.pt"
