"""Pictures as they are stored, in whatever form of colours, and what is said of those that cannot be read."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.datasets.pictures import picture_size, read_picture
from models.datasets.problem import DataProblem

ORIENTATION = 0x112  # in EXIF


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(1).integers(256, size=(30, 40, 3)).astype(np.uint8)


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGBA", "P"])
def test_other_colours_become_rgb(pixels: np.ndarray, mode: str, tmp_path: Path) -> None:
    file = tmp_path / ("picture.jpg" if mode in ("L", "CMYK") else "picture.png")
    Image.fromarray(pixels).convert(mode).save(file)
    read = read_picture(file)
    assert (read.shape, str(read.dtype)) == (pixels.shape, "uint8")
    with Image.open(file) as stored:
        assert (read == np.asarray(stored.convert("RGB"))).all()


def test_a_cameras_note_on_rotation_is_not_followed(pixels: np.ndarray, tmp_path: Path) -> None:
    """As in the original: the annotations are of the stored pixels."""
    picture = Image.fromarray(pixels)
    note = picture.getexif()
    note[ORIENTATION] = 6  # a quarter turn
    picture.save(tmp_path / "turned.png", exif=note)
    assert (read_picture(tmp_path / "turned.png") == pixels).all()
    assert picture_size(tmp_path / "turned.png") == (40, 30)


def test_what_cannot_be_read_is_told(pixels: np.ndarray, tmp_path: Path) -> None:
    folder, cut, huge = tmp_path / "folder.jpg", tmp_path / "cut.png", tmp_path / "huge.png"
    folder.mkdir()
    Image.fromarray(pixels).save(cut)
    # The head says 20,000 x 20,000 pixels; the bytes that would follow are not looked at.
    head = cut.read_bytes()
    claim = b"IHDR" + 2 * (20_000).to_bytes(4, "big") + head[24:29]
    huge.write_bytes(head[:12] + claim + zlib.crc32(claim).to_bytes(4, "big") + head[33:])
    short_head = tmp_path / "short.png"
    short_head.write_bytes(head[:8] + (2).to_bytes(4, "big") + head[12:])
    cut.write_bytes(head[: len(head) // 2])
    for file, said in (
        (tmp_path / "none.jpg", "none.jpg is missing"),
        (folder, "folder.jpg cannot be read: Is a directory"),
        (cut, "cut.png is damaged: "),
        (short_head, "short.png is damaged: "),
    ):
        with pytest.raises(DataProblem, match=said):
            read_picture(file)
    for read in (read_picture, picture_size):
        with pytest.raises(DataProblem, match=r"huge\.png is too large"):
            read(huge)
