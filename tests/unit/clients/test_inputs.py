"""Pictures and videos in the forms that callers have them in."""

from __future__ import annotations

import builtins
import itertools
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from deephar import Camera, Capture, Client, Frame
from deephar.errors import InvalidArgument
from deephar.inputs import encoded, items_of
from deephar.jpeg import JpegEncoder
from deephar.options import PoseOptions
from deephar.video import NotAVideo, frames_of

SAMPLES = Path(__file__).parents[3] / "samples"


@pytest.fixture
def pixels() -> Any:
    return np.random.default_rng(7).integers(0, 256, (37, 53, 3), np.uint8)


@pytest.mark.parametrize("has_opencv", [True, False])
def test_pixels_are_sent_without_loss(pixels: Any, has_opencv: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def import_without(name: str, *rest: Any) -> Any:
        if name == "cv2" and not has_opencv:
            raise ModuleNotFoundError(name)
        return real(name, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(builtins, "__import__", import_without)
        png = encoded(pixels[:, ::-1])  # not contiguous either
    read = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert read is not None
    np.testing.assert_array_equal(read[..., ::-1], pixels[:, ::-1])


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (0, 4, 3)])
def test_other_arrays_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidArgument, match=r"\(H, W, 3\) of uint8"):
        encoded(np.zeros(shape, np.uint8))
    with pytest.raises(InvalidArgument, match="float64"):
        encoded(np.zeros((4, 4, 3)))  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="not int"):
        encoded(3)  # type: ignore[arg-type]


def test_pictures_get_times_by_the_rate(pixels: Any) -> None:
    items = list(items_of([pixels, b"jpeg"], fps=4))
    assert [(item.time_s, item.frame_id) for item in items if isinstance(item, Frame)] == [(0.0, 0), (0.25, 1)]
    with pytest.raises(InvalidArgument, match="need fps"):
        list(items_of([pixels]))
    with pytest.raises(InvalidArgument, match="an iterable"):
        items_of(b"a whole file")  # type: ignore[arg-type]


def test_what_cannot_be_a_frame() -> None:
    for frame_id, time_s in ((-1, 0.0), (2**64, 0.0), (0, float("nan"))):
        with pytest.raises(InvalidArgument, match="frame_id"):
            Frame(b"", time_s, frame_id)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"effort": "most"}, "effort must be one of fast, balanced, best, not 'most'"),
        ({"people": "everybody"}, "people must be one of main, all, boxes"),
        ({"drop_policy": "oldest"}, "drop_policy must be one of"),
        ({"box": (1, 2, 3)}, "x, y, width, height"),
        ({"hop": -1}, "hop must be a whole number"),
        ({"top_k": 2.5}, "top_k must be a whole number"),
    ],
)
def test_options_that_no_service_takes(options: dict[str, Any], why: str) -> None:
    with Client("localhost:9") as client, pytest.raises(InvalidArgument, match=why):
        client.stream([], **options)


def test_numbers_may_be_of_numpy() -> None:
    camera = Camera(np.float32(1), np.float32(2), np.float32(3), np.float32(4), np.float32(5))  # type: ignore[arg-type]
    assert json.loads(json.dumps(camera.to_dict()))["root_depth_mm"] == 5
    options = PoseOptions(boxes=np.ones((2, 4)))  # type: ignore[arg-type]
    assert options.to_query()["boxes"] == "[[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]]"


def test_frames_of_a_file() -> None:
    frames = frames_of(SAMPLES / "jumping_jacks.mp4")
    assert frames.size == (0, 0)
    first, second = next(frames), next(frames)
    assert (first.frame_id, first.time_s, second.frame_id, second.time_s) == (0, 0.0, 1, 0.04)
    assert frames.size == (640, 480)
    frames.close()
    assert list(frames) == []


def test_a_capture_of_a_device_that_is_not_there() -> None:
    assert Capture(0).source == Capture("0").source == "/dev/video0"
    with pytest.raises(NotAVideo, match="/dev/video77 cannot be read"):
        list(Capture("77"))


def test_a_capture_of_a_file() -> None:
    """Read as a live address is: pictures that a network carries, with the time at which they came."""
    frames = list(Capture(str(SAMPLES / "jumping_jacks.mp4")))
    assert [frame.frame_id for frame in frames] == list(range(100))
    assert all(earlier.time_s < later.time_s for earlier, later in itertools.pairwise(frames))
    first = frames[0].picture
    assert isinstance(first, bytes)
    assert len(first) < 640 * 480 * 3 / 10
    assert first == next(frames_of(SAMPLES / "jumping_jacks.mp4")).picture


def test_jpegs_of_pictures_whose_size_changes() -> None:
    encoder = JpegEncoder()
    for size in ((48, 64), (31, 47), (48, 64)):
        person: Any = cv2.imread(str(SAMPLES / "person.jpg"))
        pixels = cv2.resize(person, size[::-1], interpolation=cv2.INTER_AREA)
        again: Any = cv2.imdecode(np.frombuffer(encoder.encode(pixels[..., ::-1]), np.uint8), cv2.IMREAD_COLOR)
        assert again.shape == pixels.shape
        assert cv2.PSNR(again, pixels) > 25
