"""Callers' API keys: their file, which holds hashes only, and the making of new ones.

A key has 256 random bits, so that one SHA-256 hides it: nothing can be tried that is likelier than anything else.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from service.access.limits import CallerLimits, rate_of
from service.errors import UnusableFile

LONGEST_KEY = 512  # characters of what is looked up
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HASH = re.compile(r"[0-9a-f]{64}")
_FIELDS = {"sha256", "rate", "concurrency", "streams"}

_Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Keys:
    """The keys of one version of the file.

    Attributes:
        limits: Of each caller, by name.
        names: By the hash of each key: the hash, and the name of its caller.
    """

    limits: dict[str, CallerLimits]
    names: dict[bytes, tuple[bytes, str]]

    def caller_of(self, key: str) -> str | None:
        """Returns the name of a key's caller, or None.

        How long it takes tells nothing of the keys: the lookup is by the hash, whose digits nobody can choose, and the
        hash is compared whole once more.
        """
        if len(key) > LONGEST_KEY:
            return None
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
        known, name = self.names.get(digest, (bytes(32), ""))
        return name if hmac.compare_digest(known, digest) else None


def read_keys(path: Path, otherwise: CallerLimits) -> Keys:
    """Returns the keys in a file.

    Args:
        path: The file.
        otherwise: The limits of callers whose entry has none.

    Raises:
        UnusableFile: The file is not as docs/security.md describes it.
        OSError: It cannot be read.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:  # of TOML, or of UTF-8
        raise UnusableFile(f"{path}: this is not TOML: {error}") from None
    entries = document.pop("keys", None)
    if document or not isinstance(entries, dict):
        raise UnusableFile(f"{path}: the file must have a table [keys.NAME] for each caller, and nothing else")
    limits: dict[str, CallerLimits] = {}
    names: dict[bytes, tuple[bytes, str]] = {}
    for name, entry in entries.items():
        try:
            hashes, limits[name] = _entry(name, entry, otherwise)
            for digest in hashes:
                if digest in names:
                    raise ValueError(f"sha256 is that of {names[digest][1]} already")
                names[digest] = (digest, name)
        except ValueError as error:
            raise UnusableFile(f"{path}: keys.{name[:80]!a}: {error}") from None
    return Keys(limits, names)


def _entry(name: str, entry: Any, otherwise: CallerLimits) -> tuple[list[bytes], CallerLimits]:
    """Returns the hashes and the limits of a caller.

    Raises:
        ValueError: The entry is wrong.
    """
    if not _NAME.fullmatch(name):
        raise ValueError("a name has 1 to 64 letters, digits, - and _")
    if not isinstance(entry, dict) or (unknown := sorted(set(entry) - _FIELDS)):
        raise ValueError(f"{', '.join(unknown)}: unknown" if isinstance(entry, dict) else "must be a table")
    hashes = entry.get("sha256")
    hashes = hashes if isinstance(hashes, list) else [hashes]
    if not hashes or not all(isinstance(one, str) and _HASH.fullmatch(one.lower()) for one in hashes):
        raise ValueError("sha256 must have 64 hexadecimal digits; deephar-serve --new-key NAME makes an entry")
    rate = otherwise.rate
    if "rate" in entry:
        rate = rate_of(entry["rate"])
    limits = CallerLimits(rate, _count(entry, "concurrency", otherwise), _count(entry, "streams", otherwise))
    return [bytes.fromhex(one) for one in hashes], limits


def _count(entry: _Json, field: str, otherwise: CallerLimits) -> int:
    value = entry.get(field, getattr(otherwise, field))
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{field} must be a whole number; 0: as many as there are")
    return value


def new_key(name: str) -> tuple[str, str]:
    """Returns a new key, and its entry for the file.

    Raises:
        ValueError: A caller cannot have this name.
    """
    if not _NAME.fullmatch(name):
        raise ValueError("a name has 1 to 64 letters, digits, - and _")
    key = f"dh_{secrets.token_urlsafe(32)}"
    return key, f'[keys.{name}]\nsha256 = "{hashlib.sha256(key.encode()).hexdigest()}"\n'


def print_new_key(name: str) -> str | None:
    """Prints a new key on standard error, where it is seen once, and its entry for the file on standard output.

    Args:
        name: The caller's name.

    Returns:
        What is wrong with the name, if anything is.
    """
    try:
        key, entry = new_key(name)
    except ValueError as error:
        return f"deephar-serve --new-key NAME >> keys.toml: {error}"
    sys.stderr.write(f"The key of {name}, which is shown only now: {key}\n")
    sys.stdout.write(f"\n{entry}")
    return None
