"""Several messages in one input: each a byte for its kind, two for its length, and its bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

TEXT, BINARY, LEAVE = 0, 1, 2
_LONGEST = 2**16 - 1


def records_of(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields kind and bytes of each message; any bytes are records, the last may be shorter than it says."""
    place = 0
    while place < len(data):
        end = place + 3 + int.from_bytes(data[place + 1 : place + 3], "big")
        yield data[place] % 8, data[place + 3 : end]  # kinds above `LEAVE` are texts: most messages do not leave
        place = end


def written(messages: Iterable[tuple[int, bytes]]) -> bytes:
    """Returns the records of messages of up to 64 kB."""
    return b"".join(bytes([kind]) + len(data[:_LONGEST]).to_bytes(2) + data[:_LONGEST] for kind, data in messages)
