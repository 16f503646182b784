"""The public keys that sign callers' tokens (JWKS), from a file or a URL."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from jwt import PyJWK
from jwt.exceptions import PyJWTError

from service.background import BackgroundTask
from service.bare_url import bare
from service.errors import Unavailable, UnusableFile
from service.watched_file import WatchedFiles

log = logging.getLogger(__name__)

# Signatures whose keys are public. With HS256 whoever verifies can sign, and `none` is no signature.
ALGORITHMS = frozenset("RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA".split())
REFRESH_S = 300.0
AGAIN_S = 10.0  # least time between two fetches
FETCH_S = 5.0  # for a fetch
LARGEST = 2**20  # bytes
MOST_KEYS = 100

_Found: TypeAlias = Sequence[PyJWK]


def parsed(text: bytes | str, where: str) -> list[PyJWK]:
    """Returns the usable keys of a JWKS.

    Raises:
        UnusableFile: It has none.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise UnusableFile(f"{where}: this is not JSON") from None
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise UnusableFile(f'{where}: this is no JWKS: {{"keys": [...]}}')
    found = [key for entry in entries[:MOST_KEYS] if (key := _key(entry)) is not None]
    if not found:
        raise UnusableFile(f"{where}: there is no public key for signatures; taken are {', '.join(sorted(ALGORITHMS))}")
    return found


def _key(entry: Any) -> PyJWK | None:
    """Returns a key of a JWKS; None for one that is of another kind or for another use."""
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
        return None
    try:
        key = PyJWK(entry)
    except (PyJWTError, ValueError, TypeError, AttributeError):
        return None
    weak = key.algorithm_name not in ALGORITHMS or key.Algorithm.check_key_length(key.key)
    return None if weak else key


def _of_id(keys: _Found, key_id: str | None) -> PyJWK | None:
    """Returns the key of an id. A token without one is that of the only key."""
    if key_id is None:
        return keys[0] if len(keys) == 1 else None
    return next((key for key in keys if key.key_id == key_id), None)


class JwksFile:
    """Keys in a file, read again when it changes.

    Raises:
        UnusableFile: The file is broken.
    """

    def __init__(self, path: Path) -> None:
        self._keys: _Found = ()
        self._files = WatchedFiles([path], lambda: parsed(path.read_bytes(), str(path)), str(path), self._take)

    def start(self) -> None:
        self._files.start()

    async def stop(self) -> None:
        await self._files.stop()

    async def key(self, key_id: str | None) -> PyJWK | None:
        return _of_id(self._keys, key_id)

    def _take(self, keys: _Found) -> None:
        self._keys = keys


class JwksUrl:
    """Keys at a URL, fetched again by and by, and when a token names one that is not known.

    While the URL cannot be reached, the last keys hold.

    Raises:
        UnusableFile: The URL is not a safe one.
    """

    def __init__(self, url: str) -> None:
        _check(url)
        self._url, self._shown = url, bare(url)
        self._keys: _Found = ()
        self._fetched_s = -AGAIN_S
        self._fetching: asyncio.Task[None] | None = None
        self._told = False  # that it is away
        self._task = BackgroundTask(self._refresh, "JWKS")

    def start(self) -> None:
        self._task.start()

    async def stop(self) -> None:
        await self._task.stop()
        if self._fetching is not None:
            self._fetching.cancel()

    async def key(self, key_id: str | None) -> PyJWK | None:
        """Returns the key of an id, or None.

        Raises:
            Unavailable: No keys have come yet.
        """
        key = _of_id(self._keys, key_id)
        if key is None and await self._fetch():
            key = _of_id(self._keys, key_id)
        if not self._keys:
            raise Unavailable("the keys that sign tokens cannot be reached yet; try again in a few seconds")
        return key

    async def _refresh(self) -> None:
        while True:
            await self._fetch(pause_s=0)
            await asyncio.sleep(REFRESH_S if self._keys and not self._told else AGAIN_S)

    async def _fetch(self, pause_s: float = AGAIN_S) -> bool:
        """Fetches the keys, unless that was done just now; returns whether they may be new. All who wait share one."""
        if self._fetching is None:
            if time.monotonic() - self._fetched_s < pause_s:
                return False
            self._fetching = asyncio.create_task(self._fetch_now(), name="fetch of JWKS")
        await asyncio.shield(self._fetching)
        return True

    async def _fetch_now(self) -> None:
        try:
            async with asyncio.timeout(2 * FETCH_S):  # looking its name up has no limit of its own
                self._keys = parsed(await asyncio.to_thread(fetched, self._url), self._shown)
        except (OSError, ValueError, HTTPException, UnusableFile) as error:
            if not self._told:
                log.error("keys of tokens: %s: %s; asked again every %g s", self._shown, _reason(error), AGAIN_S)
            self._told = True
        except Exception as error:  # unforeseen, or there is no memory for a thread: it is asked again
            log.error("keys of tokens: %s", self._shown, exc_info=error)
            self._told = True
        else:
            if self._told:
                log.info("keys of tokens: %s answers again", self._shown)
            self._told = False
        finally:
            self._fetched_s, self._fetching = time.monotonic(), None


def _reason(error: Exception) -> str:
    return ascii(str(error) or "no answer in time")[1:-1][:200]


def _check(url: str) -> None:
    """Raises `UnusableFile` for a URL over which anybody on the way could send keys of their own."""
    parts = urlsplit(url)
    try:
        loopback = parts.hostname == "localhost" or ip_address(parts.hostname or "").is_loopback
    except ValueError:
        loopback = False
    if parts.scheme != "https" and not (parts.scheme == "http" and loopback):
        raise UnusableFile("DEEPHAR_JWT_JWKS must be a file or an https:// URL; http:// is for loopback addresses only")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirection could lead to a plain connection, or into a network that only this machine reaches."""

    def redirect_request(self, *_: Any) -> None:
        return None


def fetched(url: str) -> bytes:
    """Returns the document at a URL.

    Raises:
        OSError: It did not come in time, or with another status than 200.
        ValueError: It is too large.
    """
    deadline_s = time.monotonic() + FETCH_S
    pieces, size = [], 0
    # Plain connections are to this machine only, so not through a proxy either.
    proxies = urllib.request.ProxyHandler({} if url.startswith("http:") else None)
    with urllib.request.build_opener(_NoRedirect, proxies).open(url, timeout=FETCH_S) as answer:
        while piece := answer.read1(2**16):
            pieces.append(piece)
            size += len(piece)
            if size > LARGEST:
                raise ValueError(f"has over {LARGEST} bytes")
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"took over {FETCH_S:g} s")
    return b"".join(pieces)
