"""A video is read as a player shows it, and the service and its client read it the same way."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from deephar.video import frames_of
from PIL import Image as Pillow

from service.errors import InvalidVideo, UnsupportedMediaType
from service.settings import ROOT
from tests.odd_pictures import HEIC
from tests.odd_pictures import picture as still
from tests.odd_videos import CORNERS, GREY, OddVideo, all_of_them, film, picture
from tests.picture_files import file
from tests.unit.video.reading import read, rgb

CASES = all_of_them()
TOLERANCE = 60  # of 255: small pictures lose colour in all codecs


@pytest.mark.parametrize("case", CASES, ids=str)
def test_videos_are_read_as_a_player_shows_them(case: OddVideo) -> None:
    frames, facts = read(case.data, interval_s=0.001)
    assert facts is not None
    assert (facts.width, facts.height) == case.size
    image = rgb(frames[0]).astype(int)
    assert image.shape[1::-1] == case.size
    if case.corners != GREY:
        found = image[[4, 4, -5, -5], [4, -5, 4, -5]]
        assert np.abs(found - CORNERS[list(case.corners)]).max() <= TOLERANCE
    if case.frames >= 0:
        assert (facts.frames, len(frames)) == (case.frames, case.frames)
        if case.duration_s is None:
            assert facts.fps == pytest.approx(case.fps, rel=0.02)
        assert facts.duration_s == pytest.approx(case.duration_s or case.frames / case.fps, abs=0.03)
    else:
        assert facts.frames >= 10
    if case.lost == -2:
        assert facts.frames + facts.lost_frames == 60
        assert facts.lost_frames >= 2
    if case.lost >= 0:
        assert facts.lost_frames == case.lost
    times = np.diff([frame.time_ns for frame in frames])
    assert times.min() > 0


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_client_reads_them_the_same_way(case: OddVideo, tmp_path: Path) -> None:
    frames, _ = read(case.data, interval_s=0.001)
    file = tmp_path / "film"
    file.write_bytes(case.data)
    sent = list(frames_of(str(file)))
    assert [(f.frame_id, f.time_ns) for f in sent] == [(f.frame_id, f.time_ns) for f in frames]
    for index in (0, len(sent) - 1):
        with Pillow.open(io.BytesIO(bytes(sent[index].picture))) as picture:
            difference = np.asarray(picture).astype(int) - rgb(frames[index])
        assert np.abs(difference).mean() < 6


def test_both_have_the_same_code() -> None:
    own, of_client = ROOT / "service" / "video" / "film.py", ROOT / "clients" / "python" / "src" / "deephar" / "film.py"
    assert own.read_bytes() == of_client.read_bytes()


MP4 = film()
INDEX = MP4[MP4.index(b"moov") - 4 :]


@pytest.mark.parametrize(
    "data",
    [
        film(frames=60)[: len(film(frames=60)) * 2 // 3],
        film("mov")[: len(film("mov")) * 2 // 3].replace(b"ftyp", b"free", 1),
        MP4[: MP4.index(b"ftyp") + 28] + INDEX[: len(INDEX) // 2],
    ],
    ids=["index_at_the_end", "without_ftyp", "within_the_index"],
)
def test_a_video_without_its_index_is_called_cut_off(data: bytes) -> None:
    with pytest.raises(InvalidVideo, match="cut off"):
        read(data)


def test_sound_with_a_cover_has_no_video() -> None:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        sound = out.add_stream("aac", rate=44_100)
        assert isinstance(sound, av.AudioStream)
        cover = out.add_stream("mjpeg", rate=1)
        assert isinstance(cover, av.VideoStream)
        cover.width, cover.height, cover.pix_fmt, cover.disposition = 64, 48, "yuvj420p", Disposition.attached_pic
        out.mux(cover.encode(av.VideoFrame.from_ndarray(picture(), format="rgb24").reformat(format="yuvj420p")))
        out.mux(cover.encode(None))
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 44_100), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 44_100
        out.mux(sound.encode(silence))
        out.mux(sound.encode(None))
    with pytest.raises(InvalidVideo, match="sound only"):
        read(buffer.getvalue())


PICTURES = {"heic": HEIC, "avif": file(still(), "AVIF", speed=10), "png": file(still(), "PNG")}


@pytest.mark.parametrize("data", PICTURES.values(), ids=PICTURES)
def test_pictures_are_sent_elsewhere(data: bytes) -> None:
    with pytest.raises(UnsupportedMediaType, match="/v1/pose"):
        read(data)


def test_a_gif_is_named() -> None:
    with pytest.raises(UnsupportedMediaType, match="a GIF"):
        read(file(still(), "GIF"))
