"""One try to fetch the missing bytes of a file over HTTP; those that are here count if the server still has that file.

On urllib: it follows redirects with the Range header, takes proxies and certificates from the system and is there
anyway. pooch does not resume; gdown resumes, but trusts what an earlier run left and brings eight packages along.
"""

from __future__ import annotations

import html
import re
import shutil
import ssl
from email.message import Message
from http import HTTPStatus
from http.client import HTTPException, IncompleteRead
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from models.weights.download_report import Report, amount
from models.weights.partial_file import Origin, PartialFile

_CHUNK = 1 << 18
_LONGEST_PAUSE_S = 60.0
_PASSING = {408, 425, 429, 500, 502, 503, 504}  # statuses that another try may not meet


class Refused(Exception):
    """The server does not give this file; another try would meet the same."""


class Interrupted(Exception):
    """The connection failed or the server is busy; another try may go on. `pause_s` is what the server asks for."""

    def __init__(self, reason: str, pause_s: float = 0.0) -> None:
        super().__init__(reason)
        self.pause_s = pause_s


def fetch(url: str, part: PartialFile, signature: bytes, report: Report, timeout_s: float) -> None:
    """All bytes are in `part` afterwards. The file must begin with `signature`. `timeout_s` is for each wait.

    Raises Refused, Interrupted; OSError where the part cannot be written.
    """
    try:
        _fetch(url, part, signature, report, timeout_s)
    except HTTPError as error:
        with error:
            reason = f"the server answered {error.code} {error.reason}{_title(error)}"
            if error.code in _PASSING:
                pause_s = min(_number(error.headers.get("Retry-After")) or 0, _LONGEST_PAUSE_S)
                raise Interrupted(reason, pause_s) from error
            raise Refused(reason) from error
    except (URLError, HTTPException, ConnectionError, TimeoutError, ssl.SSLError) as error:
        cause = error.reason if isinstance(error, URLError) else error
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise Refused(f"the server's certificate is not trusted ({cause.verify_message})") from error
        if isinstance(error, IncompleteRead):
            raise Interrupted("the connection broke off") from error
        why = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
        raise Interrupted(f"the connection failed ({why})") from error


def _fetch(url: str, part: PartialFile, signature: bytes, report: Report, timeout_s: float) -> None:
    if part.size and part.size == part.origin.size:
        return  # an earlier run ended between the last byte and the check
    try:
        answer = _ask(url, part, timeout_s)
    except HTTPError as error:
        if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not part.size:
            raise
        error.close()
        report.say("the server has no such part of the file: starting again")
        part.begin(Origin())
        answer = _ask(url, part, timeout_s)
    if answer.status == HTTPStatus.PARTIAL_CONTENT and part.size and not _continues(answer.headers, part):
        answer.close()
        report.say("the file on the server has changed: starting again")
        part.begin(Origin())
        answer = _ask(url, part, timeout_s)
    with answer:
        _refuse_page(answer)
        if answer.status == HTTPStatus.PARTIAL_CONTENT and part.size:
            size = _range(answer.headers)[1]
            _need_space(size, part)
        elif answer.status == HTTPStatus.OK:
            size = _begin_anew(answer, part, signature, report)
        else:
            raise Refused(f"the server answered {answer.status} {answer.reason} where 200 or 206 was due")
        _receive(answer, part, size, report)


def _ask(url: str, part: PartialFile, timeout_s: float) -> Any:
    headers = {"User-Agent": "deephar-serve"}
    if part.size:
        headers["Range"] = f"bytes={part.size}-"
        if part.origin.validator is not None:
            headers["If-Range"] = part.origin.validator
    return urlopen(Request(url, headers=headers), timeout=timeout_s)  # noqa: S310  URLs are those of our own table


def _begin_anew(answer: Any, part: PartialFile, signature: bytes, report: Report) -> int | None:
    """Drops what is here for the answer, once that has shown the signature. Returns the whole file's size."""
    origin = Origin(_validator(answer.headers), _number(answer.headers.get("Content-Length")))
    start = answer.read(len(signature))
    if start != signature:
        if origin.size is not None and len(start) < min(len(signature), origin.size):
            raise IncompleteRead(start)
        raise Refused(f"the server sends something else than an HDF5 file (it begins with {start!r})")
    _need_space(origin.size, part)
    if part.size:
        report.say("the server sends the file from its start")
    part.begin(origin)
    part.append(start)
    return origin.size


def _receive(answer: Any, part: PartialFile, size: int | None, report: Report) -> None:
    report.progress(part.size, size)
    while size is None or part.size < size:
        data = answer.read1(_CHUNK if size is None else min(_CHUNK, size - part.size))
        if not data:
            break
        part.append(data)
        report.progress(part.size, size)
    if size is not None and part.size < size:  # http.client says nothing when a body ends too early
        raise IncompleteRead(b"", size - part.size)


def _continues(headers: Message, part: PartialFile) -> bool:
    """Whether a 206 is the rest of what is here: some stores answer it whatever If-Range says."""
    known, (start, size), validator = part.origin, _range(headers), _validator(headers)
    same_file = validator in (None, known.validator) if known.validator is not None else True
    return same_file and start == part.size and (known.size is None or size == known.size)


def _range(headers: Message) -> tuple[int | None, int | None]:
    """First byte and whole size of a 206's Content-Range, None where not said."""
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", ""))
    return (int(match[1]), _number(match[2])) if match else (None, None)


def _validator(headers: Message) -> str | None:
    etag: str | None = headers.get("ETag")
    return etag if etag is not None and not etag.startswith("W/") else headers.get("Last-Modified")


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.strip().isdecimal() else None


def _refuse_page(answer: Any) -> None:
    if answer.headers.get_content_type() in ("text/html", "application/xhtml+xml"):
        raise Refused(f"the server sent a web page instead of the file{_title(answer)}")


def _title(answer: Any) -> str:
    """What the page calls itself, to follow a sentence: Drive names there a spent quota, a sign-in, a virus scan."""
    try:
        match = re.search(rb"<title[^>]*>(.*?)</title>", answer.read(1 << 16), re.DOTALL | re.IGNORECASE)
    except (OSError, HTTPException):
        return ""
    words = " ".join(html.unescape(match[1].decode(errors="replace")).split()) if match else ""
    return f' ("{words}")' if words.isprintable() and words else ""


def _need_space(size: int | None, part: PartialFile) -> None:
    free = shutil.disk_usage(part.folder).free
    if size is not None and size - part.size > free:
        needed, here = amount(size - part.size, None), amount(free, None)
        raise Refused(f"{needed} more are needed in {part.folder}, {here} are free")
