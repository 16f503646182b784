"""Annotated videos, read again with PyAV."""

from __future__ import annotations

import gc
import io
import os
import threading
from pathlib import Path

import av
import numpy as np
import pytest
from deephar.annotated import AnnotatedVideo
from deephar.film import Film, film_of
from deephar.sound import Sound
from numpy.typing import NDArray

from tests.videos import pictures_of, sound_of, with_sound

# Of what holds an open file, or an encoder.
PYAV = ("av.container.input", "av.container.output", "av.video.stream", "av.video.codeccontext", "av.audio.stream")


class Pipe:
    """What can be written to, and nothing else."""

    def __init__(self, most: int | None = None) -> None:
        self.data, self._most = bytearray(), most

    def write(self, data: bytes, /) -> int:
        self.data += data
        if self._most is not None and len(self.data) > self._most:
            raise BrokenPipeError("nobody reads")
        return len(data)


def _pattern(size: tuple[int, int]) -> NDArray[np.uint8]:
    """Four coloured quarters."""
    width, height = size
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, : width // 2] = 200, 60, 60
    image[: height // 2, width // 2 :] = 60, 200, 60
    image[height // 2 :, : width // 2] = 60, 60, 200
    image[height // 2 :, width // 2 :] = 230
    return image


def _made(size: tuple[int, int], times_s: list[float]) -> bytes:
    pipe = Pipe()
    with AnnotatedVideo(pipe, size, 25) as made:
        for time_s in times_s:
            made.write(_pattern(size), time_s)
    return bytes(pipe.data)


def _copied(source: bytes, path: Path) -> bytes:
    """A source's frames with its sound."""
    path.write_bytes(source)
    pipe = Pipe()
    with av.open(io.BytesIO(source), "r") as container:
        stream = film_of(container)
        assert stream is not None
        film = Film(container, stream)
        made = None
        for read in film.frames():
            if read is not None:
                frame, time_ns = read
                made = made or AnnotatedVideo(pipe, film.size, 25, audio_from=path)
                made.write(film.picture(frame), time_ns / 1e9)
        assert made is not None
        made.finish()
    return bytes(pipe.data)


def test_frames_keep_their_times_and_colours() -> None:
    times_s = [0.0, 0.04, 0.05, 0.3, 0.31, 1.7, 5.0, 5.02]
    frames = pictures_of(_made((64, 48), times_s))
    assert [time_s for time_s, _ in frames] == pytest.approx(times_s, abs=1e-4)
    for _, picture in frames:
        off = np.abs(picture.astype(int) - _pattern((64, 48)))
        assert np.median(off.max(axis=2)) <= 8


@pytest.mark.parametrize("size", [(65, 48), (64, 49), (65, 49), (1, 1), (2, 2), (1281, 3)])
def test_odd_sizes_are_rounded_up(size: tuple[int, int]) -> None:
    ((_, picture), _) = pictures_of(_made(size, [0.0, 0.04]))
    assert picture.shape == (size[1] + size[1] % 2, size[0] + size[0] % 2, 3)


def test_the_file_is_h264_in_pieces_that_every_player_knows() -> None:
    data = _made((64, 48), [i / 25 for i in range(100)])
    assert data[4:8] == b"ftyp"
    assert 4 <= data.count(b"moof") <= 8  # about one a second
    with av.open(io.BytesIO(data)) as container:
        codec = container.streams.video[0].codec_context
        assert (codec.name, codec.pix_fmt) == ("h264", "yuv420p")


@pytest.mark.parametrize("share", [0.4, 0.6, 0.9])
def test_a_file_that_is_cut_off_plays_until_there(share: float) -> None:
    data = _made((64, 48), [i / 25 for i in range(250)])
    rest = data[: int(share * len(data))]
    frames = pictures_of(rest)
    assert 25 * (rest.count(b"mdat") - 1) <= len(frames) < 250
    assert len(frames) > 50
    assert frames[-1][0] == pytest.approx((len(frames) - 1) / 25)


def test_parts_are_there_while_the_video_is_made() -> None:
    pipe = Pipe()
    with AnnotatedVideo(pipe, (64, 48)) as made:
        made.write(_pattern((64, 48)), 0.0)
        assert b"moov" in pipe.data
        for i in range(1, 100):
            made.write(_pattern((64, 48)), i / 25)
            assert pipe.data.count(b"moof") >= i // 25 - 1  # no more than about a second is held back


@pytest.mark.parametrize(
    ("codec", "container"),
    [
        ("aac", "mp4"),
        ("aac", "mpegts"),
        ("aac", "matroska"),
        ("mp3", "mp4"),
        ("mp3", "avi"),
        ("libopus", "matroska"),
        ("ac3", "matroska"),
        ("eac3", "matroska"),
        ("alac", "mov"),
        ("flac", "matroska"),
    ],
)
def test_sound_that_mp4_can_hold_stays_as_it_is(codec: str, container: str, tmp_path: Path) -> None:
    source = with_sound(codec, container)
    name, sent = sound_of(source)
    kept, got = sound_of(_copied(source, tmp_path / "source"))
    assert kept == name
    assert len(sent) - 1 <= len(got) <= len(sent)  # one may begin before the first picture
    head = 7 if container == "mpegts" else 0  # bytes of a header that MP4 has once for all
    assert [packet for _, packet in got] == [packet[head:] for _, packet in sent[-len(got) :]]
    with av.open(io.BytesIO(source), "r") as film:
        start_s = float((film.streams.video[0].start_time or 0) * (film.streams.video[0].time_base or 0))
    shifted = [time_s - start_s for time_s, _ in sent[-len(got) :]]
    assert [time_s for time_s, _ in got] == pytest.approx(shifted, abs=0.03)


@pytest.mark.parametrize(("codec", "container"), [("pcm_s16le", "matroska"), ("pcm_u8", "avi")])
def test_other_sound_becomes_aac(codec: str, container: str, tmp_path: Path) -> None:
    copied = _copied(with_sound(codec, container, samples_a_second=44_100), tmp_path / "source")
    name, packets = sound_of(copied)
    assert name == "aac"
    assert packets[-1][0] == pytest.approx(2.0, abs=0.1)
    with av.open(io.BytesIO(copied), "r") as container_:
        tone = np.concatenate([frame.to_ndarray()[0] for frame in container_.decode(audio=0)])
    spectrum = np.abs(np.fft.rfft(tone[44_100 // 2 : 3 * 44_100 // 2]))
    assert int(spectrum.argmax()) == pytest.approx(440, abs=2)


def test_a_source_without_sound_gives_none(tmp_path: Path) -> None:
    silent = tmp_path / "silent.mp4"
    silent.write_bytes(_made((64, 48), [0.0, 0.04]))
    with AnnotatedVideo(tmp_path / "out.mp4", (64, 48), audio_from=silent) as made:
        made.write(_pattern((64, 48)), 0.0)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert len(container.streams.video) == 1
        assert not container.streams.audio


def test_sound_that_goes_on_long_after_the_pictures_ends(tmp_path: Path) -> None:
    _, packets = sound_of(_copied(with_sound("aac", sound_s=30.0), tmp_path / "source"))
    assert packets[-1][0] == pytest.approx(12.0, abs=0.2)


def test_damaged_sound_does_not_stop_the_pictures(tmp_path: Path) -> None:
    source = bytearray(with_sound("aac", "mpegts", seconds=4))
    rng = np.random.default_rng(0)
    for at in rng.integers(len(source) // 4, len(source), 200):
        source[int(at)] ^= 0xFF
    assert len(pictures_of(_copied(bytes(source), tmp_path / "source"))) > 20


def test_wrong_frames_are_refused() -> None:
    with AnnotatedVideo(Pipe(), (64, 48)) as made:
        made.write(_pattern((64, 48)), 0.0)
        with pytest.raises(ValueError, match="shape"):
            made.write(_pattern((48, 64)), 0.1)
        with pytest.raises(ValueError, match="must rise"):
            made.write(_pattern((64, 48)), 0.0)
    with pytest.raises(ValueError, match="has ended"):
        made.write(_pattern((64, 48)), 1.0)


def test_a_pipe_that_nobody_reads_raises_its_error_and_nothing_stays(tmp_path: Path) -> None:
    source = tmp_path / "source.mp4"
    source.write_bytes(with_sound("aac", seconds=10))
    before = (threading.active_count(), len(os.listdir("/proc/self/fd")))

    def write() -> None:
        with AnnotatedVideo(Pipe(most=20_000), (640, 480), audio_from=source) as made:
            for i in range(200):
                made.write(np.random.default_rng(i).integers(0, 255, (480, 640, 3), np.uint8), i / 25)

    with pytest.raises(BrokenPipeError):
        write()
    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == before


@pytest.mark.parametrize("is_finished", [True, False])
def test_a_closed_video_leaves_nothing_to_the_garbage_collector(is_finished: bool, tmp_path: Path) -> None:
    class Owner(Pipe):
        video: AnnotatedVideo | None = None

    source = tmp_path / "source"
    source.write_bytes(with_sound("aac", sound_s=30.0))

    def make() -> None:
        owner = Owner()
        owner.video = AnnotatedVideo(owner, (64, 48), audio_from=source)
        owner.video.write(_pattern((64, 48)), 0.0)
        if is_finished:
            owner.video.finish()
        owner.video.close()

    gc.collect()
    gc.disable()
    try:
        make()
        left = [kind for kind in map(type, gc.get_objects()) if kind.__module__ in PYAV or kind is Sound]
    finally:
        gc.enable()
    assert left == []
