"""Reads MATLAB's files (version 5), one element of a struct or cell array after the other.

scipy reads a variable whole, which for hundreds of thousands of small structs takes gigabytes. Here an array's elements
are cut out of the compressed stream, and scipy reads each for itself.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from scipy.io import loadmat

from models.datasets.formats.content import foreign_content
from models.datasets.problem import DataProblem

HEADER_BYTES = 128
_COMPRESSED, _MATRIX, _INT32 = 15, 14, 5
_CELL, _STRUCT = 1, 2
_SIGNATURE = b"MATLAB 5.0 MAT-file"


# Whatever scipy stumbles over in damaged bytes. Compressed variables, as the published ones are, have a checksum.
_DAMAGE = (
    *(EOFError, OSError, MemoryError, zlib.error, struct.error),
    *(ValueError, TypeError, LookupError, NameError, AttributeError, RuntimeError, ArithmeticError),
)


class _Inflated:
    """Reads a compressed element of a file as bytes of its content."""

    def __init__(self, file: IO[bytes], length: int) -> None:
        self._file, self._left, self._inflate, self._held = file, length, zlib.decompressobj(), bytearray()

    def read(self, count: int) -> bytes:
        while len(self._held) < count:
            chunk = self._inflate.unconsumed_tail or self._file.read(min(self._left, 1 << 16))
            if not self._inflate.unconsumed_tail:
                self._left -= len(chunk)
            more = self._inflate.decompress(chunk, 1 << 20)
            if not chunk and not more:
                raise EOFError
            self._held += more
        out = bytes(self._held[:count])
        del self._held[:count]
        return out


def check_whole(file: Path) -> None:
    """Looks at what a file is and whether its end is there, without reading it all.

    Raises:
        DataProblem: It is no MATLAB file, of another version, or cut.
    """
    if problem := foreign_content(file):
        raise DataProblem(f"{file}: {problem}")
    with file.open("rb") as stream:
        head = stream.read(HEADER_BYTES)
    if head.startswith((b"MATLAB 7.3", b"\x89HDF")):
        raise DataProblem(f"{file} is a MATLAB 7.3 file; the published ones are version 5: in MATLAB, save(..., '-v7')")
    if not head.startswith(_SIGNATURE) or head[126:128] != b"IM":
        raise DataProblem(f"{file} is no MATLAB file: download it again")
    for _ in _variables(file):
        pass


def names(file: Path) -> list[str]:
    """The variables of a file.

    Raises:
        DataProblem: As `check_whole`.
    """
    check_whole(file)
    return [name for name, _ in _variables(file)]


def elements(file: Path, variable: str) -> Iterator[Any]:
    """The elements of a struct or cell array, by columns, each as scipy reads it, squeezed (`struct_as_record=False`).

    Raises:
        DataProblem: The file is damaged or has no such array.
    """
    offset = _offset(file, variable)
    with file.open("rb") as stream:
        stream.seek(offset)
        singles = _elements(stream)
        while True:
            try:
                element = next(singles, None)
            except _DAMAGE as error:
                raise _damaged(f"{file} is damaged in {variable}", error) from error
            if element is None:
                return
            yield element


def value(file: Path, variable: str) -> Any:
    """A whole variable as scipy reads it, squeezed.

    Raises:
        DataProblem: The file is damaged or has no such variable.
    """
    _offset(file, variable)
    try:
        return loadmat(file, variable_names=[variable], squeeze_me=True, struct_as_record=False)[variable]
    except _DAMAGE as error:
        raise _damaged(f"{file} is damaged in {variable}", error) from error


def _damaged(what: str, error: Exception) -> DataProblem:
    reason = str(error) or ("it ends early" if isinstance(error, EOFError) else type(error).__name__)
    return DataProblem(f"{what} ({reason}): download it again")


def _offset(file: Path, variable: str) -> int:
    check_whole(file)
    places = dict(_variables(file))
    if variable not in places:
        raise DataProblem(f"{file} has no {variable} but {', '.join(places) or 'nothing'}: it is another file")
    return places[variable]


def _variables(file: Path) -> Iterator[tuple[str, int]]:
    """Names of the variables, and where their elements begin."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        offset = HEADER_BYTES
        while offset < size:
            stream.seek(offset)
            tag = stream.read(8)
            length = struct.unpack("<2I", tag)[1] if len(tag) == 8 else 0
            if len(tag) < 8 or offset + 8 + length > size:
                raise DataProblem(
                    f"{file} is cut: it has {size:,} of at least {offset + 8 + length:,} bytes. Download it again"
                )
            try:
                yield _begin(stream, tag)[1].name, offset
            except _DAMAGE as error:
                raise _damaged(f"{file} is damaged", error) from error
            offset += 8 + length


class _Head:
    """What stands before an array's elements."""

    def __init__(self, source: IO[bytes] | _Inflated) -> None:
        flags = source.read(16)
        self.kind = flags[8]
        dimensions = _Element(source)
        self.count = int(np.prod(np.frombuffer(dimensions.data, "<i4"), dtype=np.int64))
        name = _Element(source)
        self.name = name.data.decode("ascii")
        single = struct.pack("<2I2i", _INT32, 8, 1, 1)  # the dimensions of an array of one element
        self.of_one = flags + single + name.raw


class _Element:
    """A data element with its tag: small ones keep their data in the tag."""

    def __init__(self, source: IO[bytes] | _Inflated) -> None:
        tag = source.read(8)
        kind, length = struct.unpack("<2I", tag)
        if kind >> 16:
            self.data, self.raw = tag[4 : 4 + (kind >> 16)], tag
            return
        padded = source.read(length + -length % 8)
        self.data, self.raw = padded[:length], tag + padded


def _begin(stream: IO[bytes], tag: bytes) -> tuple[IO[bytes] | _Inflated, _Head]:
    kind, length = struct.unpack("<2I", tag)
    source: IO[bytes] | _Inflated = stream
    if kind == _COMPRESSED:
        source = _Inflated(stream, length)
        source.read(8)
    return source, _Head(source)


def _elements(stream: IO[bytes]) -> Iterator[Any]:
    source, head = _begin(stream, stream.read(8))
    fields = 1
    before = head.of_one
    if head.kind == _STRUCT:
        name_length, field_names = _Element(source), _Element(source)
        fields = len(field_names.data) // int.from_bytes(name_length.data, "little")
        before += name_length.raw + field_names.raw
    elif head.kind != _CELL:
        raise EOFError(f"{head.name} is no array of structs")
    file_head = _SIGNATURE.ljust(124) + b"\x00\x01IM"
    for _ in range(head.count):
        body = before + b"".join(_Element(source).raw for _ in range(fields))
        single = io.BytesIO(file_head + struct.pack("<2I", _MATRIX, len(body)) + body)
        read = loadmat(single, squeeze_me=True, struct_as_record=False)
        yield next(held for name, held in read.items() if not name.startswith("__"))
