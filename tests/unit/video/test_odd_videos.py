"""A video is read as a player shows it, and the service and its client read it the same way."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from deephar.video import frames_of
from PIL import Image as Pillow

from service.errors import InvalidVideo
from service.settings import ROOT
from tests.odd_videos import CORNERS, GREY, OddVideo, all_of_them, film
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
        assert facts.fps == pytest.approx(case.fps, rel=0.02)
        assert facts.duration_s == pytest.approx(case.frames / case.fps, abs=0.03)
    else:
        assert facts.frames >= 10
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
    assert [(f.frame_id, f.timestamp_ns) for f in sent] == [(f.frame_id, f.time_ns) for f in frames]
    for index in (0, len(sent) - 1):
        with Pillow.open(io.BytesIO(sent[index].encoded)) as picture:
            difference = np.asarray(picture).astype(int) - rgb(frames[index])
        assert np.abs(difference).mean() < 6


def test_both_have_the_same_code() -> None:
    own, of_client = ROOT / "service" / "video" / "film.py", ROOT / "clients" / "python" / "src" / "deephar" / "film.py"
    assert own.read_bytes() == of_client.read_bytes()


def test_a_video_without_its_index_is_called_cut_off() -> None:
    whole = film(frames=60)
    with pytest.raises(InvalidVideo, match="cut off"):
        read(whole[: len(whole) * 2 // 3])
