"""Files that callers send: small real pictures and videos, the same with a damage, and bytes that are neither."""

from __future__ import annotations

from functools import cache

from hypothesis import strategies as st

from tests import odd_pictures
from tests.picture_files import file
from tests.videos import video

_KINDS = ("JPEG", "PNG", "WEBP", "BMP", "AVIF")


@cache
def real_pictures() -> tuple[bytes, ...]:
    return (
        *(file(odd_pictures.picture(), kind) for kind in _KINDS),
        odd_pictures.HEIC,
        file(odd_pictures.picture(), "GIF"),
    )


@cache
def real_videos() -> tuple[bytes, ...]:
    times_s = [0.1 * i for i in range(20)]
    return (
        video(times_s),
        video(times_s[:3], container="matroska"),
        video(times_s[:1]),
        video(times_s, (16, 64), "avi", "mpeg4"),
    )


def _damaged(data: bytes, cut: int, place: int, new: bytes) -> bytes:
    data = data[: len(data) - cut % len(data)]
    place %= len(data)
    return data[:place] + new + data[place + len(new) :]


def _files(real: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    numbers = st.integers(0, 2**20)
    damaged = st.builds(_damaged, st.sampled_from(real), st.just(0) | numbers, numbers, st.binary(max_size=8))
    return st.sampled_from(real) | damaged | st.binary(max_size=64)


def pictures() -> st.SearchStrategy[bytes]:
    return _files(real_pictures())


def videos() -> st.SearchStrategy[bytes]:
    return _files(real_videos())
