"""The three ways to send a picture or a video: multipart form, raw body, JSON with base64."""

from __future__ import annotations

import base64
import binascii
import errno
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from service.errors import InvalidArgument, PayloadTooLarge, Unavailable, UnsupportedMediaType, quoted
from service.vision.boxes import Box
from service.vision.camera import Camera
from service.workers import Workers

_IN_MEMORY = 2**20  # larger videos wait on disk
_LONGEST_OPTION = 2**16  # characters; boxes are the longest
_LARGEST_DOCUMENT = 20_000  # values in JSON, by its commas and brackets: base64 has neither
_CHARSETS = (b"utf-8", b"utf8", b"us-ascii", b"iso-8859-1", b"latin-1")
CAMERA_NUMBERS, ROOT_DEPTH = ("fx", "fy", "cx", "cy"), "root_depth_mm"
_CAMERA_FORM = (
    '{"fx": .., "fy": .., "cx": .., "cy": .., "root_depth_mm": ..} of numbers; with several boxes root_depth_mm may be '
    "a list of one for each"
)


@dataclass(frozen=True)
class Payload:
    """The file that came with a request and the options beside it."""

    file: BinaryIO
    options: dict[str, Any]

    def text(self, name: str) -> str | None:
        value = self.options.get(name)
        if value is not None and not isinstance(value, str):
            raise InvalidArgument(f"{name} must be a text")
        return value or None

    def whole_number(self, name: str) -> int | None:
        value = self.options.get(name)
        if value is None or value == "":
            return None
        try:
            if isinstance(value, list | dict):
                raise ValueError
            number = int(str(value))
        except ValueError:
            raise InvalidArgument(f"{name} must be a whole number, not {quoted(value)}") from None
        if number < 1:
            raise InvalidArgument(f"{name} must be at least 1")
        return number

    def switch(self, name: str, absent: bool) -> bool:
        value = self.options.get(name)
        if value is None or value == "":
            return absent
        words = {"true": True, "1": True, "false": False, "0": False}
        try:
            if isinstance(value, list | dict):
                raise KeyError
            return words[str(value).lower()]
        except KeyError:
            raise InvalidArgument(f"{name} must be true or false, not {quoted(value)}") from None

    def one_of(self, name: str, choices: tuple[str, ...]) -> str:
        """The first of the choices where the option is absent."""
        value = self.options.get(name) or choices[0]
        if value not in choices:
            raise InvalidArgument(f"{name} must be {' or '.join(choices)}, not {quoted(value)}")
        return str(value)

    def boxes(self, most: int) -> list[Box]:
        value = self._json("boxes", "[[x, y, width, height], ...] in pixels")
        if value is None:
            return []
        if isinstance(value, list) and len(value) > most:
            raise InvalidArgument(f"{len(value)} boxes were sent; at most {most} are taken")
        try:
            return [Box(*_numbers(box, 4)) for box in value]
        except TypeError:
            raise InvalidArgument("boxes must be a list of [x, y, width, height] in pixels") from None

    def camera(self) -> Camera | None:
        value = self._json("camera", _CAMERA_FORM)
        if value is None:
            return None
        try:
            if set(value) != {*CAMERA_NUMBERS, ROOT_DEPTH}:
                raise TypeError
            depths = value[ROOT_DEPTH] if isinstance(value[ROOT_DEPTH], list) else [value[ROOT_DEPTH]]
            fx, fy, cx, cy = _numbers([value[name] for name in CAMERA_NUMBERS], 4)
            return Camera(fx, fy, cx, cy, tuple(_numbers(depths, len(depths))))
        except TypeError:
            raise InvalidArgument(f"camera must be an object {_CAMERA_FORM}") from None

    def _json(self, name: str, form: str) -> Any:
        """An option that is JSON: a value in a JSON body, text in a form or a query; None where it is absent."""
        value = self.options.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, str):
            try:
                return json.loads(value)
            except (ValueError, RecursionError):
                raise InvalidArgument(f"{name} must be JSON: {form}") from None
        return value


def _numbers(values: Any, count: int) -> list[float]:
    if not isinstance(values, list) or len(values) != count:
        raise TypeError
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
        raise TypeError
    try:
        return [float(value) for value in values]
    except OverflowError:
        raise TypeError from None


@asynccontextmanager
async def payload(
    request: Request, field: str, kinds: tuple[str, ...], query: dict[str, Any], workers: Workers, json_limit: int
) -> AsyncIterator[Payload]:
    """Reads the request; `field` names the file in a form and in JSON, `kinds` are the raw bodies that are taken.

    `query` has all options that there are; in a form or in JSON they may come as well. JSON is held in memory, at most
    `json_limit` bytes of it.
    """
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    _check_names(request.query_params, query)
    options = {name: value for name, value in query.items() if value is not None}
    if media_type == "multipart/form-data":
        _check_charset(request)
        with _room_for_uploads():
            form = await request.form(max_files=1, max_fields=20, max_part_size=_LONGEST_OPTION)
        async with _closed(form):
            yield _checked(_from_form(form, field, options), query)
    elif media_type == "application/json":
        body = await _document(request, field, json_limit)
        with _room_for_uploads():
            # Base64 of a large file takes a while: not on the event loop.
            sent = await workers.run(_from_json, body, field, options)
        del body
        with sent.file:
            yield _checked(sent, query)
    elif not media_type or media_type == "application/octet-stream" or media_type.startswith(kinds):
        with SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
            with _room_for_uploads():
                async for part in request.stream():
                    file.write(part)
                file.seek(0)
            yield _checked(Payload(cast(BinaryIO, file), options), query)
    else:
        raise UnsupportedMediaType(
            f"a body of type {media_type} is not taken here; send {' or '.join(kind + '*' for kind in kinds)}, "
            f"multipart/form-data with a file {field!r}, or application/json with base64 in {field!r}"
        )


def _check_charset(request: Request) -> None:
    """Python knows codecs that take minutes for a few kB, and starlette would use any that the caller names."""
    charset = parse_options_header(request.headers["content-type"])[1].get(b"charset", b"utf-8").lower()
    if charset not in _CHARSETS:
        raise InvalidArgument(f"the form's charset {quoted(charset.decode('latin-1'))} is not taken; send UTF-8")


@asynccontextmanager
async def _closed(form: FormData) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await form.close()


@contextmanager
def _room_for_uploads() -> Iterator[None]:
    """Larger bodies wait in a temporary file: a disk that is full is not the caller's fault."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise Unavailable("there is no room on the service's disk for this upload; try again later") from error
        raise


async def _document(request: Request, field: str, limit: int) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise PayloadTooLarge(
                f"JSON of over {limit} bytes is not taken; send {field!r} as a form's file or raw body"
            )
    if sum(body.count(mark) for mark in (b",", b"[", b"{")) > _LARGEST_DOCUMENT:
        raise InvalidArgument(
            f"the JSON holds over {_LARGEST_DOCUMENT} values; send base64 in {field!r} and few options"
        )
    return bytes(body)


def _checked(sent: Payload, query: dict[str, Any]) -> Payload:
    _check_names(sent.options, query)
    for name, value in sent.options.items():
        if isinstance(value, str) and len(value) > _LONGEST_OPTION:
            raise InvalidArgument(f"{name} has {len(value)} characters; at most {_LONGEST_OPTION} are taken")
    return sent


def _check_names(sent: Iterable[str], known: Iterable[str]) -> None:
    """An option that is misspelt must not be taken for one that was not sent."""
    for name in sent:
        if name not in known:
            raise InvalidArgument(f"there is no option {quoted(name)}; there are {', '.join(known)}")


def _from_form(form: FormData, field: str, options: dict[str, Any]) -> Payload:
    upload = form.get(field)
    if not isinstance(upload, UploadFile):
        raise InvalidArgument(f"the form has no file named {field!r}; send it as: curl -F {field}=@FILE")
    return Payload(upload.file, options | {name: value for name, value in form.items() if name != field})


def _from_json(body: bytes, field: str, options: dict[str, Any]) -> Payload:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidArgument("the body is not valid JSON") from None
    if not isinstance(document, dict) or not isinstance(document.get(field), str):
        raise InvalidArgument(f"the JSON must be an object with base64 text in {field!r}")
    text = document.pop(field)
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidArgument(f"{field!r} is not valid base64") from None
    file = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed with the payload's last reference
    file.write(data)
    file.seek(0)
    return Payload(cast(BinaryIO, file), options | document)
