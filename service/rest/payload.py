"""The three ways to send a picture or a video: multipart form, raw body, JSON with base64."""

from __future__ import annotations

import base64
import binascii
import errno
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, Generic, TypeVar, cast
from urllib.parse import unquote

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from service.errors import LONGEST_QUOTE, InvalidArgument, PayloadTooLarge, Unavailable, UnsupportedMediaType, quoted
from service.pipeline.options import RequestOptions
from service.rest.form import LONGEST_OPTION, FileField, read_form
from service.workers import Workers

_IN_MEMORY = 2**20  # bytes; larger files are buffered on disk
# These media types are never files. For all others the content decides.
_NO_FILES = ("text/", "multipart/", "message/", "application/x-www-form-urlencoded", "application/xml")
LARGEST_DOCUMENT = 20_000  # values in JSON, by its commas and brackets: base64 has neither
_BASE64_ALPHABET = bytes.maketrans(b"-_", b"+/")


Options = TypeVar("Options", bound=RequestOptions)


@dataclass(frozen=True)
class Payload(Generic[Options]):
    """The files of a request, one at least, the name of their field, and its options."""

    field: str
    files: list[BinaryIO]
    options: Options
    names: list[str | None]  # of the files, as far as they were sent


@asynccontextmanager
async def payload(
    request: Request, fields: Sequence[FileField], kind: type[Options], workers: Workers, json_limit: int
) -> AsyncIterator[Payload[Options]]:
    """Yields the files and the options of a form, of a raw body or of JSON; options may stand in the query as well.

    Args:
        request: Its body is read here.
        fields: Files of a form, which has those of one field; any other body has one file, that of the first field.
        kind: Model of the options.
        workers: For decoding base64.
        json_limit: Largest JSON body in bytes; it is held in memory.

    Raises:
        InvalidArgument: An option is unknown, was sent twice or is not what it must be.
        UnsupportedMediaType, PayloadTooLarge, Unavailable: As their names say.
    """
    field = fields[0].name
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    in_query = _once(request.query_params.multi_items())
    if in_query:
        _options(kind, in_query)  # checked before the body is read
    if media_type == "multipart/form-data":
        with room_on_disk():
            form = await read_form(request, fields)
        async with _closed(form):
            field, uploads, in_form = _from_form(form, fields)
            files, names = [upload.file for upload in uploads], [upload.filename for upload in uploads]
            yield Payload(field, files, _options(kind, in_query, in_form), names)
    elif media_type == "application/json":
        body = await _document(request, field, json_limit)
        with room_on_disk():
            # Base64 of a large file takes a while: not on the event loop.
            file, in_json = await workers.run(_from_json, body, field)
        del body
        with file:
            yield Payload(field, [file], _options(kind, in_query, in_json), [None])
    elif not media_type.startswith(_NO_FILES):
        with SpooledTemporaryFile(max_size=_IN_MEMORY) as upload:
            with room_on_disk():
                async for part in request.stream():
                    upload.write(part)
                upload.seek(0)
            yield Payload(field, [cast(BinaryIO, upload)], _options(kind, in_query), [None])
    else:
        raise UnsupportedMediaType(
            f"a body of type {quoted(media_type)} is not taken here; send {field}/*, application/octet-stream, "
            f"multipart/form-data with a file {field!r}, or application/json with base64 in {field!r}"
        )


def _once(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Returns the items by name. Raises `InvalidArgument` for a name that was sent twice."""
    options: dict[str, Any] = {}
    for name, value in items:
        if name in options:
            raise InvalidArgument(f"{_shortened(name)} was sent twice; send it once")
        options[name] = value
    return options


def _options(kind: type[Options], *sent: dict[str, Any]) -> Options:
    options = _once([item for part in sent for item in part.items()])
    for name, value in options.items():
        if isinstance(value, str) and len(value) > LONGEST_OPTION:
            raise InvalidArgument(f"{_shortened(name)} has {len(value)} characters; at most {LONGEST_OPTION} are taken")
    return kind.of(options)


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_QUOTE else name[:LONGEST_QUOTE] + "..."


@asynccontextmanager
async def _closed(form: FormData) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await form.close()


@contextmanager
def room_on_disk() -> Iterator[None]:
    """Raises `Unavailable` where the disk, on which larger bodies are buffered, has no room or no file is free."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise Unavailable("there is no room on the service's disk for this upload; try again later") from error
        if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOENT):  # the last: no folder takes one, says tempfile
            raise Unavailable("the service can open no file for this upload; try again in a few seconds") from error
        raise


async def _document(request: Request, field: str, limit: int) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise PayloadTooLarge(
                f"JSON of over {limit} bytes is not taken; send {field!r} as a form's file or raw body"
            )
    if sum(body.count(mark) for mark in (b",", b"[", b"{")) > LARGEST_DOCUMENT:
        raise InvalidArgument(
            f"the JSON holds over {LARGEST_DOCUMENT} values; send base64 in {field!r} and few options"
        )
    return bytes(body)


def _from_form(form: FormData, fields: Sequence[FileField]) -> tuple[str, list[UploadFile], dict[str, Any]]:
    """Returns the name of the files' field, the files, and the other parts."""
    names = [field.name for field in fields]
    uploads = {name: [part for part in form.getlist(name) if isinstance(part, UploadFile)] for name in names}
    sent = [field for field in fields if uploads[field.name]]
    if not sent:
        raise InvalidArgument(f"the form has no file named {names[0]!r}; send it as: curl -F {names[0]}=@FILE")
    if len(sent) > 1:
        raise InvalidArgument(f"the form has {' and '.join(field.name for field in sent)}; send one of them")
    (field,) = sent
    options = _once((name, value) for name, value in form.multi_items() if name not in names)
    return field.name, uploads[field.name], options


def _from_json(body: bytes, field: str) -> tuple[BinaryIO, dict[str, Any]]:
    try:
        document = json.loads(body, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise InvalidArgument(f"the body is not valid JSON; send an object with base64 text in {field!r}") from None
    if not isinstance(document, dict) or not isinstance(document.get(field), str):
        raise InvalidArgument(f"the JSON must be an object with base64 text in {field!r}")
    data = _from_base64(document.pop(field), field)
    file = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed by who asked for it
    file.write(data)
    file.seek(0)
    return cast(BinaryIO, file), document


def _from_base64(text: str, field: str) -> bytes:
    """Returns the bytes of base64 as people make it: in lines, in URLs' alphabet, without padding, in a data URL."""
    text = text.strip()
    if not text.isascii() or sum(text.count(mark) for mark in "%\n\r") > len(text) // 8 + 100:
        raise InvalidArgument(f"{field!r} is not base64; send the output of: base64 FILE")
    if text[:5].lower() == "data:":
        text = unquote(text.partition(",")[2])
    try:
        lines = (line.strip() for line in text.encode("ascii").splitlines())
        plain = b"".join(lines).translate(_BASE64_ALPHABET).rstrip(b"=")
        return base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidArgument(
            f"{field!r} is not base64 (a + that became a space?); send the output of: base64 FILE"
        ) from None
