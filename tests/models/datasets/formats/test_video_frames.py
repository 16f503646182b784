from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.datasets.formats.video_frames import FARTHEST, VideoFrames
from models.datasets.problem import DataProblem

FRAMES, SIZE = 140, (64, 48)


@pytest.fixture(scope="module", params=["MJPG", "XVID"])
def video(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """XVID's frames are differences to earlier ones: a reader that does not begin at a whole frame shows it."""
    file = tmp_path_factory.mktemp("videos") / f"{request.param}.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*request.param), 30, SIZE)
    for frame in range(FRAMES):
        pixels = np.full((SIZE[1], SIZE[0], 3), 40, np.uint8)
        pixels[:, : 8 + frame % 48] = (frame, 255 - frame, 200)
        writer.write(pixels)
    writer.release()
    return file


def test_frames_in_any_order_are_those_in_their_order(video: Path) -> None:
    forwards = VideoFrames(SIZE)
    whole = [forwards.read(video, frame) for frame in range(FRAMES)]
    order = [*np.random.default_rng(3).permutation(FRAMES).tolist(), 0, FRAMES - 1, 0, FARTHEST + 2, FARTHEST + 1]
    reader = VideoFrames(SIZE)
    assert all((reader.read(video, frame) == whole[frame]).all() for frame in order)
    assert len({frame.tobytes() for frame in whole}) == FRAMES
    assert abs(int(whole[0][0, 0, 0]) - 200) < 12  # RGB


def test_few_videos_stay_open(video: Path, tmp_path: Path) -> None:
    copies = [tmp_path / f"{i}.avi" for i in range(5)]
    for copy in copies:
        copy.write_bytes(video.read_bytes())
    reader = VideoFrames((32, 24), most_open=2)
    for frame in (3, 1):
        for copy in copies:
            assert reader.read(copy, frame).shape == (24, 32, 3)
    assert len(reader._open) == 2


def test_threads_read_the_same_frames(video: Path) -> None:
    reader, alone = VideoFrames(SIZE), VideoFrames(SIZE)
    whole = [alone.read(video, frame) for frame in range(40)]
    wrong: list[int] = []

    def read(first: int) -> None:
        wrong.extend(frame for frame in range(first, 40, 4) if not (reader.read(video, frame) == whole[frame]).all())

    threads = [threading.Thread(target=read, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_what_is_no_video_is_named(video: Path, tmp_path: Path) -> None:
    (tmp_path / "text.avi").write_text("nothing of the kind")
    with pytest.raises(DataProblem, match=r"text\.avi is no video"):
        VideoFrames(SIZE).read(tmp_path / "text.avi", 0)
    with pytest.raises(DataProblem, match="is missing"):
        VideoFrames(SIZE).read(tmp_path / "none.avi", 0)
    with pytest.raises(DataProblem, match=f"no frame {FRAMES + 1}, it ends after {FRAMES}"):
        VideoFrames(SIZE).read(video, FRAMES)
