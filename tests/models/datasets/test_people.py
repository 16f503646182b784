"""Loaders of single pictures: people, keys, windows and pixels of tiny data sets in the original formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.datasets.catalogue import open_split
from models.datasets.problem import DataProblem
from models.datasets.samples import Dataset
from models.protocol.joints import COCO, LSP
from tests.models.datasets import made_coco, made_h36m, made_lsp, made_mpii


def keys(dataset: Dataset[Any]) -> list[str]:
    return [dataset[index].key for index in range(len(dataset))]


def test_mpii_has_the_listed_people_of_each_picture_in_order(tmp_path: Path) -> None:
    made_mpii.make(tmp_path, train=4, val=6)
    val = open_split("mpii", tmp_path, "val")
    # The third picture lists both of its people, the sixth only the second one.
    assert keys(val) == [
        *("1000000000.jpg#0", "1000000001.jpg#0", "1000000002.jpg#0", "1000000002.jpg#1"),
        *("1000000003.jpg#0", "1000000004.jpg#0", "1000000005.jpg#1"),
    ]
    assert len(open_split("mpii", tmp_path, "train")) == 5
    assert np.isnan(val[4].keypoints_px[[0, 5]]).all()
    assert val[4].visible.sum() == 14
    inside = val[5].keypoints_px
    left, top, right, bottom = val[5].window.corners
    assert ((inside >= (left, top)) & (inside <= (right, bottom))).all()
    with Image.open(tmp_path / "images" / "1000000000.jpg") as picture:
        assert (val[0].read() == np.asarray(picture)).all()


def test_the_owners_file_of_mpii_has_the_same_people(tmp_path: Path) -> None:
    made_mpii.make(tmp_path, train=6, val=6, seed=1)
    both = open_split("mpii", tmp_path, "trainval")
    assert keys(both) == keys(open_split("mpii", tmp_path, "train")) + keys(open_split("mpii", tmp_path, "val"))
    (tmp_path / "annotations.mat").unlink()
    labelled = made_mpii.drawn_pictures("0", 6, 1) + made_mpii.drawn_pictures("1", 6, 2)
    folder = tmp_path / "mpii_human_pose_v1_u12_2"  # as the archive is unpacked
    made_mpii.write_release(folder / "mpii_human_pose_v1_u12_1.mat", labelled, made_mpii.drawn_pictures("2", 2, 3))
    owners = open_split("mpii", tmp_path, "trainval")
    assert keys(owners) == keys(both)
    for index in range(len(both)):
        assert (owners[index].window, owners[index].head_size_px) == (both[index].window, both[index].head_size_px)
        assert np.array_equal(owners[index].keypoints_px, both[index].keypoints_px, equal_nan=True)


def test_people_of_mpii_without_a_scale_are_left_out(tmp_path: Path) -> None:
    made_mpii.make(tmp_path)
    (tmp_path / "annotations.mat").unlink()
    labelled = made_mpii.drawn_pictures("0", 3, 1)
    labelled[1].people[0]["scale"] = []
    made_mpii.write_release(tmp_path / "mpii_human_pose_v1_u12_1.mat", labelled, [])
    assert keys(open_split("mpii", tmp_path, "trainval")) == [
        "0000000000.jpg#0",
        "0000000002.jpg#0",
        "0000000002.jpg#1",
    ]


def test_human36m_frames_come_sequence_by_sequence(tmp_path: Path) -> None:
    made_h36m.make(tmp_path, frames=2)
    val = open_split("h36m", tmp_path, "val")
    assert keys(val) == [
        *("a02_s09_e01_c01/00001", "a02_s09_e01_c01/00065", "a16_s11_e02_c04/00001", "a16_s11_e02_c04/00065"),
    ]
    assert [val.labels[val[index].action] for index in range(4)] == ["Directions"] * 2 + ["WalkTogether"] * 2
    person = val[3]
    assert np.allclose(person.camera.to_world_mm(person.uvz), person.world_mm, atol=0.5)
    assert person.read().shape == (1002, 1000, 3)
    assert {key[:11] for key in keys(open_split("h36m", tmp_path, "train"))} == {"a03_s01_e01", "a14_s05_e02"}


def test_lsp_is_split_in_its_middle(tmp_path: Path) -> None:
    made_lsp.make(tmp_path, people=6)
    train, test = open_split("lsp", tmp_path, "train"), open_split("lsp", tmp_path, "test")
    assert keys(train) == ["im0001", "im0002", "im0003"]
    assert keys(test) == ["im0004", "im0005", "im0006"]
    assert test[0].joints == LSP
    assert np.isfinite(test[0].keypoints_px).all()  # occluded joints are annotated too
    assert np.flatnonzero(~test[0].visible).tolist() == [made_lsp.OCCLUDED]
    assert test[1].visible.all()
    assert test[0].read().shape[:2] == test[0].image_size[::-1]
    assert test[-1].key == "im0006"


def test_the_window_of_lsp_is_the_picture_or_the_joints(tmp_path: Path) -> None:
    made_lsp.make(tmp_path, people=2)
    whole = open_split("lsp", tmp_path, "test")[0]
    close = open_split("lsp", tmp_path, "test", around="joints")[0]
    width, height = whole.image_size
    assert (whole.window.centre_x, whole.window.width) == (width / 2, max(width, height))
    low, high = close.keypoints_px.min(axis=0), close.keypoints_px.max(axis=0)
    assert close.window.width == close.window.height == pytest.approx(1.5 * (high - low).max())
    assert (close.window.centre_x, close.window.centre_y) == pytest.approx((low + high) / 2)
    closer = open_split("lsp", tmp_path, "test", around="joints", margin=1.1)[0]
    assert closer.window.width == pytest.approx(1.1 * (high - low).max())
    with pytest.raises(DataProblem, match="around picture or joints, not 'box'"):
        open_split("lsp", tmp_path, "test", around="box")


def test_joints_that_lspet_does_not_annotate_are_nan(tmp_path: Path) -> None:
    made_lsp.make(tmp_path, people=4, extended=True)
    people = open_split("lspet", tmp_path, "train", around="joints")
    assert keys(people) == ["im00001", "im00002", "im00003", "im00004"]
    assert np.flatnonzero(~people[1].visible).tolist() == [made_lsp.ABSENT]
    assert np.isnan(people[1].keypoints_px[made_lsp.ABSENT]).all()
    assert people[0].visible.all()
    low, high = np.nanmin(people[1].keypoints_px, axis=0), np.nanmax(people[1].keypoints_px, axis=0)
    assert people[1].window.width == pytest.approx(1.5 * (high - low).max())


def test_coco_has_people_with_keypoints(tmp_path: Path) -> None:
    made_coco.make(tmp_path, train=2, val=3)
    val = open_split("coco", tmp_path, "val2017")
    assert keys(val) == ["000000000500#5000", "000000000501#5010", "000000000502#5020"]
    person = val[1]
    assert person.joints == COCO
    assert (person.image_id, person.annotation_id) == (501, 5010)
    assert np.flatnonzero(np.isnan(person.keypoints_px[:, 0])).tolist() == [15]
    assert np.flatnonzero(~person.visible).tolist() == [10, 15]
    assert person.box is not None
    x, y, width, height = person.box
    assert person.area == pytest.approx(width * height * 0.6, abs=1)
    assert (person.window.centre_x, person.window.centre_y) == pytest.approx((x + width / 2, y + height / 2))
    assert person.window.width == person.window.height == pytest.approx(1.25 * max(width, height))
    assert open_split("coco", tmp_path, "val2017", margin=2)[1].window.width == pytest.approx(2 * max(width, height))
    assert person.read().shape == (240, 320, 3)


def test_a_crowd_is_no_person_of_coco(tmp_path: Path) -> None:
    made_coco.make(tmp_path, train=1, val=2)
    file = tmp_path / "annotations" / "person_keypoints_val2017.json"
    file.write_text(file.read_text().replace('"iscrowd": 0', '"iscrowd": 1', 1))
    assert keys(open_split("coco", tmp_path, "val2017")) == ["000000000501#5010"]


def test_the_fingerprint_tells_versions_splits_and_options_apart(tmp_path: Path) -> None:
    made_lsp.make(tmp_path / "one", people=4)
    made_lsp.make(tmp_path / "again", people=4)
    made_lsp.make(tmp_path / "other", people=4, seed=2)
    first = open_split("lsp", tmp_path / "one", "test").fingerprint()
    file = tmp_path / "again" / "joints.mat"
    file.write_bytes((tmp_path / "one" / "joints.mat").read_bytes())
    assert open_split("lsp", tmp_path / "again", "test").fingerprint() == first
    others = [
        open_split("lsp", tmp_path / "other", "test"),
        open_split("lsp", tmp_path / "one", "train"),
        open_split("lsp", tmp_path / "one", "test", around="joints"),
    ]
    assert len({first, *(dataset.fingerprint() for dataset in others)}) == 4


def test_pixels_are_read_when_they_are_asked_for(tmp_path: Path) -> None:
    made_mpii.make(tmp_path, train=1, val=2)
    val = open_split("mpii", tmp_path, "val")
    person = val[0]
    picture = tmp_path / "images" / "1000000000.jpg"
    picture.write_bytes(picture.read_bytes()[:2000])
    with pytest.raises(DataProblem, match=r"1000000000\.jpg is damaged: .*truncated"):
        person.read()
    picture.write_text("<html>Not found</html>")
    with pytest.raises(DataProblem, match=r"1000000000\.jpg is damaged: it is a web page"):
        person.read()
    picture.unlink()
    with pytest.raises(DataProblem, match=r"1000000000\.jpg is missing"):
        person.read()
    assert val[1].read().shape == (240, 320, 3)


def test_grey_pictures_have_three_colours(tmp_path: Path) -> None:
    made_coco.make(tmp_path, train=1, val=1)
    Image.new("L", (320, 240), 77).save(tmp_path / "val2017" / "000000000500.jpg")
    pixels = open_split("coco", tmp_path, "val2017")[0].read()
    assert pixels.shape == (240, 320, 3)
    assert pixels.dtype == np.uint8
    assert (pixels == 77).all()


@pytest.mark.parametrize("name", ["mpii", "h36m", "lsp", "coco"])
def test_a_split_that_there_is_not(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataProblem, match=f"{name} has no split 'dev' but "):
        open_split(name, tmp_path, "dev")
