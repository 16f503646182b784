"""Tells two versions of a data set apart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from models.files.checksums import sha256_of


def fingerprint_of(files: Iterable[Path], split: str, samples: int, options: str = "") -> str:
    """SHA-256 over annotation files (by content, in their order), the split, the number of samples and the options."""
    parts = [*map(sha256_of, files), split, str(samples), options]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
