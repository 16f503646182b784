"""Checksums of files, without reading them into memory whole."""

from __future__ import annotations

import hashlib
from pathlib import Path


def md5_of(file: Path) -> str:
    """For what is published with it; no protection against anybody."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def sha256_of(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
