"""Tracks that the service has seen already, kept on disk by the content of their videos."""

from __future__ import annotations

import hashlib
import os
import zipfile
from dataclasses import fields
from pathlib import Path

import numpy as np

from models.files.checksums import sha256_of
from models.own_actions.tracks import Track

FORMAT = 2  # rises when the same video and networks would give other tracks


class TrackCache:
    """The kept tracks.

    Args:
        folder: Where.
        networks: What tells the networks that saw the videos from others, such as their checksums.
    """

    def __init__(self, folder: Path, *networks: str) -> None:
        self._folder, self._networks = folder, (str(FORMAT), *networks)

    def load(self, video: Path) -> Track | None:
        """Returns the track of a video; None where it is not kept. Raises `OSError` where it cannot be read."""
        file = self._file(video)
        try:
            with file.open("rb") as stream, np.load(stream) as kept:
                return Track(*(kept[field.name] for field in fields(Track)))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile):  # damaged: it is made again
            return None

    def keep(self, video: Path, track: Track) -> None:
        """Keeps a track. A process that is stopped meanwhile leaves none."""
        file = self._file(video)
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(f".{os.getpid()}.tmp")
        with temporary.open("wb") as stream:
            np.savez_compressed(stream, **{field.name: getattr(track, field.name) for field in fields(Track)})
        temporary.replace(file)

    def _file(self, video: Path) -> Path:
        whole = "\n".join((sha256_of(video), *self._networks))
        return self._folder / f"{hashlib.sha256(whole.encode()).hexdigest()[:32]}.npz"
