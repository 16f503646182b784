"""Checksums of files, without reading them into memory whole."""

from __future__ import annotations

import hashlib
from pathlib import Path


def md5_of(file: Path) -> str:
    """The MD5 of a file, to compare with a published one. It does not protect against forgery."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
