"""Multipart forms: starlette's parser, with the reason where a form cannot be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from service.errors import InvalidArgument, PayloadTooLarge, quoted

LONGEST_OPTION = 2**16  # characters; boxes are the longest
MOST_FIELDS = 20  # of a form that are no files
_CHARSETS = (b"utf-8", b"utf8", b"us-ascii", b"iso-8859-1", b"latin-1")
_LET_YOUR_CLIENT = "let your HTTP client set Content-Type itself, as curl -F does"


@dataclass(frozen=True)
class FileField:
    """A name of parts that are files, and how many and how large all of them may be."""

    name: str
    most: int = 1
    most_bytes: int | None = None  # None: as large as the body may be


class _Parser(MultiPartParser):
    """Takes parts with the wanted names for files, whether they have a file name, only `filename*`, or none."""

    def __init__(self, request: Request, fields: Sequence[FileField]) -> None:
        super().__init__(
            request.headers,
            request.stream(),
            max_files=sum(field.most for field in fields),
            max_fields=MOST_FIELDS,
            max_part_size=LONGEST_OPTION,
        )
        self._fields = {field.name.encode(): field for field in fields}
        self._field: FileField | None = None  # of the present part
        self._counts = Counter[str]()
        self._bytes = 0  # of the files of such fields
        self.has_begun = self.has_ended = False

    def on_part_begin(self) -> None:
        self.has_begun = True
        super().on_part_begin()

    def on_headers_finished(self) -> None:
        disposition = self._current_part.content_disposition or b""
        options = parse_options_header(disposition)[1]
        field = self._field = self._fields.get(options.get(b"name", b""))
        if field is not None:
            self._counts[field.name] += 1
            if self._counts[field.name] > field.most:
                raise InvalidArgument(f"the form has more than {field.most} of {field.name!r}; send several requests")
            if b"filename" not in options:
                self._current_part.content_disposition = disposition + b'; filename="file"'
        elif b"filename" in options:
            name, wanted = options.get(b"name", b"").decode("latin-1"), b" or ".join(self._fields).decode()
            raise InvalidArgument(f"the form has a file {quoted(name)}; it may have {wanted}")
        super().on_headers_finished()

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._field is not None and self._field.most_bytes is not None:
            self._bytes += end - start
            if self._bytes > self._field.most_bytes:
                raise PayloadTooLarge(
                    f"{self._field.name} of over {self._field.most_bytes} bytes are not taken; send a video, or fewer"
                )
        super().on_part_data(data, start, end)

    def on_end(self) -> None:
        self.has_ended = True

    def close(self) -> None:
        """Closes the files, also those of parts that have not ended."""
        for file in self._files_to_close_on_error:
            file.close()


async def read_form(request: Request, fields: Sequence[FileField]) -> FormData:
    """Reads a multipart form with files; the caller closes it.

    Args:
        request: Its body is read here.
        fields: The parts that are files.

    Raises:
        InvalidArgument: It cannot be read, with the reason.
        PayloadTooLarge: Its files are too large.
    """
    options = parse_options_header(request.headers["content-type"])[1]
    boundary = options.get(b"boundary", b"")
    _check_charset(options)
    if not boundary:
        raise InvalidArgument(f"Content-Type names no boundary of the form's parts; {_LET_YOUR_CLIENT}")
    parser = _Parser(request, fields)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        if not parser.has_begun:
            raise InvalidArgument(_of_boundary(boundary)) from None
        raise InvalidArgument(f"the form cannot be read: {error.message}") from None
    if parser.has_ended:
        return form
    parser.close()
    if not parser.has_begun:
        raise InvalidArgument(_of_boundary(boundary))
    raise InvalidArgument("the form ends before its closing boundary; send all of it")


def _of_boundary(boundary: bytes) -> str:
    name = quoted(boundary.decode("latin-1"))
    return f"the form's parts do not begin with the boundary {name} that Content-Type names; {_LET_YOUR_CLIENT}"


def _check_charset(options: dict[bytes, bytes]) -> None:
    """Refuses all but common charsets: starlette uses any codec of Python, and some take minutes for a few kB."""
    charset = options.get(b"charset", b"utf-8").lower()
    if charset not in _CHARSETS:
        raise InvalidArgument(f"the form's charset {quoted(charset.decode('latin-1'))} is not taken; send UTF-8")
