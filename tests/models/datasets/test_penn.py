from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from models.datasets.catalogue import module_of, open_split
from models.datasets.check import State
from models.datasets.problem import DataProblem
from models.protocol.clips import multi_clip, single_clip
from models.protocol.joints import PA16, PENN
from models.protocol.labels import PENN_ACTIONS
from models.protocol.window import Window
from tests.models.datasets import made_penn
from tests.models.datasets.golden_clips import FUNCTIONS, VECTORS, crops, plan_of, poses_crop, write_penn


@pytest.fixture(scope="module")
def deephar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("penn")
    made_penn.make(folder, boxes=True)
    return folder


@pytest.fixture(scope="module")
def owners(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("penn_of_owners")
    made_penn.make(folder, form="owners")
    return folder


@pytest.mark.parametrize("form", ["deephar", "owners"])
def test_a_clip_is_that_of_the_original(tmp_path: Path, form: str) -> None:
    write_penn(tmp_path, form)
    (clip,) = open_split("penn", tmp_path, "test")
    frames = single_clip(clip.frames, 8, 6)
    plan = plan_of(clip, frames)
    assert frames == VECTORS["penn_gt_out_frame_list"].tolist()
    assert np.allclose(clip.window_of(frames).corners, VECTORS["penn_gt_out_bbox"], rtol=0, atol=1e-10)
    assert np.allclose(plan.affine, VECTORS["penn_gt_out_afmat"], rtol=0, atol=1e-13)
    assert np.allclose(poses_crop(clip, frames, plan, PA16), VECTORS["penn_gt_out_pose"], rtol=1e-13, atol=1e-10)
    assert (crops(clip, frames, plan) == VECTORS["penn_gt_out_frame8"]).all()
    assert np.eye(15)[clip.action].tolist() == VECTORS["penn_gt_out_pennaction"].tolist()
    assert (clip.key, clip.image_size, clip.joints) == ("0007", (480, 270), PENN)


def test_windows_of_predicted_boxes_are_those_of_the_original(tmp_path: Path) -> None:
    write_penn(tmp_path, "deephar")
    (clip,) = open_split("penn", tmp_path, "test", boxes=tmp_path / "boxes.json")
    frames = single_clip(clip.frames, 8, 6)
    assert list(clip.window_of(frames).corners) == VECTORS["penn_pred_out_bbox"].tolist()
    assert np.allclose(plan_of(clip, frames).affine, VECTORS["penn_pred_out_afmat"], rtol=0, atol=1e-13)


def test_windows_without_boxes_are_those_of_the_original(tmp_path: Path) -> None:
    write_penn(tmp_path, "deephar")
    (clip,) = open_split("penn", tmp_path, "test", boxes="image")
    assert list(clip.window_of([0, 50, 99]).corners) == VECTORS["penn_full_out_bbox"].tolist()
    assert np.allclose(plan_of(clip, [0]).affine, VECTORS["penn_full_out_afmat"], rtol=0, atol=1e-13)


def test_both_forms_give_the_same_clips(deephar: Path, owners: Path) -> None:
    for split, count in (("train", 3), ("test", 2)):
        ours, theirs = open_split("penn", deephar, split), open_split("penn", owners, split)
        assert len(ours) == len(theirs) == count
        assert ours.labels == theirs.labels == PENN_ACTIONS
        for one, other in zip(ours, theirs, strict=True):
            assert (one.key, one.action, one.frames, one.image_size) == (
                other.key,
                other.action,
                other.frames,
                other.image_size,
            )
            assert np.array_equal(one.keypoints, other.keypoints, equal_nan=True)
            assert (one.visible == other.visible).all()
            assert one.window_of([0, 20, 40]) == other.window_of([0, 20, 40])


def test_hidden_and_marked_joints_are_not_annotated(owners: Path) -> None:
    clip = open_split("penn", owners, "train")[0]
    elbow = clip.keypoints[:, 3]
    assert np.isfinite(elbow[: clip.frames // 2]).all()
    assert np.isnan(elbow[clip.frames // 2 :]).all()
    assert (clip.visible == np.isfinite(clip.keypoints).all(axis=-1)).all()


def test_a_sequence_of_more_than_255_frames_is_whole_in_the_owners_form(tmp_path: Path) -> None:
    made_penn.make(tmp_path, train=1, test=0, frames=300, size=(64, 48), form="owners")
    clip = open_split("penn", tmp_path, "train")[0]
    assert clip.frames == len(clip.keypoints) == 300  # published lengths wrap at 256
    assert clip.read(299).shape == (48, 64, 3)


def test_clips_boxes_go_by_number_and_mirror_and_else_the_whole_image_is_taken(deephar: Path) -> None:
    file = deephar / "penn_pred_bboxes_16f.json"
    written = json.loads(file.read_text())
    for index, clip in enumerate(open_split("penn", deephar, "test", boxes=file)):
        clips = multi_clip(clip.frames, 16, 2)
        assert len(clips) == 3
        for number, frames in enumerate(clips):
            for mirror in (False, True):
                box = written[f"{index:04d}.2.{number:03d}.{mirror:d}"]
                assert list(clip.window_of(frames, mirror).corners) == box
        whole = Window.of_whole_image(*clip.image_size)
        assert clip.window_of(multi_clip(clip.frames, 16, 1)[0]) == whole
        assert clip.window_of(single_clip(clip.frames, 16, 3)) == whole


def test_clips_of_sequences_are_those_of_the_original(tmp_path: Path) -> None:
    golden = json.loads((FUNCTIONS / "clips.json").read_text())
    lengths = sorted({case["frames"] for case in golden["single_clip"] + golden["multi_clip"] if case["frames"] < 50})
    made_penn.make(tmp_path, train=len(lengths), test=0, frames=lengths, size=(96, 54), form="owners")
    clips = {clip.frames: clip for clip in open_split("penn", tmp_path, "train")}
    assert sorted(clips) == lengths
    cases = [case for case in golden["single_clip"] if case["frames"] in clips]
    assert len(cases) > 10
    for case in cases:
        clip = clips[case["frames"]]
        frames = single_clip(clip.frames, case["clip"], case["subsampling"])
        assert frames == case["index"]
        assert clip.read(frames[-1]).shape == (54, 96, 3)
        assert clip.keypoints[frames].shape == (case["clip"], 13, 2)
    for case in golden["multi_clip"]:
        if case["frames"] in clips:
            found = multi_clip(clips[case["frames"]].frames, case["clip"], case["subsampling"])
            assert [frames[0] for frames in found] == case["starts"]


def test_boxes_of_frames_make_a_union(deephar: Path) -> None:
    file = deephar / "penn_pred_bboxes_multitask.json"
    test, train, _ = json.loads(file.read_text())
    for split, boxes in (("test", test), ("train", train)):
        for index, clip in enumerate(open_split("penn", deephar, split, boxes=file)):
            rows = np.array([boxes[f"{index}.{frame}"] for frame in (3, 9, 15)])
            union = [*rows[:, :2].min(axis=0), *rows[:, 2:].max(axis=0)]
            assert list(clip.window_of([3, 9, 15]).corners) == union


def test_a_frame_without_a_box_is_named(deephar: Path, tmp_path: Path) -> None:
    (tmp_path / "boxes.json").write_text(json.dumps([{"0.0": [1, 2, 30, 40]}, {}, {}]))
    clip = open_split("penn", deephar, "test", boxes=tmp_path / "boxes.json")[0]
    assert clip.window_of([0]) == Window(15.5, 21, 32, 32)  # the loaders' lower limit
    with pytest.raises(DataProblem, match=r"has no box 0\.1: .*data boxes"):
        clip.window_of([0, 1])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "damaged or cut"),
        ('"boxes"', "no file of boxes"),
        ("[{}, {}, {}]", "no box of the split test"),
        ('[{"7": [1, 2, 3, 4]}]', "no <sequence>.<frame>"),
        ('[{"0.7": [1, 2, 3]}]', r"not \[x1, y1, x2, y2\]"),
        ('[{"0.7": [9, 2, 3, 4]}]', "no box"),
        ('[{"0.7": [NaN, 2, 3, 4]}]', "no box"),
        ('[{"0.0": [0, 0, 1, 1], "1.0": [0, 0, 1, 1], "2.0": [0, 0, 1, 1]}]', "other annotations"),
    ],
)
def test_files_that_are_no_boxes_are_refused(deephar: Path, tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "boxes.json").write_text(content)
    with pytest.raises(DataProblem, match=said):
        open_split("penn", deephar, "test", boxes=tmp_path / "boxes.json")


def test_a_missing_file_of_boxes_says_how_it_is_made(deephar: Path, tmp_path: Path) -> None:
    with pytest.raises(DataProblem, match="missing; make it: deephar-models data boxes"):
        open_split("penn", deephar, "test", boxes=tmp_path / "none.json")


def test_a_picture_that_is_missing_or_damaged_is_named(tmp_path: Path) -> None:
    made_penn.make(tmp_path, train=1, test=0, frames=4)
    clip = open_split("penn", tmp_path, "train")[0]
    picture = tmp_path / "frames" / "0001" / "000002.jpg"
    picture.write_bytes(picture.read_bytes()[:300])
    with pytest.raises(DataProblem, match=r"000002\.jpg is damaged"):
        clip.read(1)
    picture.unlink()
    with pytest.raises(DataProblem, match=r"000002\.jpg is missing"):
        clip.read(1)
    assert clip.read(2).shape == (270, 480, 3)


def test_fingerprints_tell_annotations_apart(deephar: Path, owners: Path, tmp_path: Path) -> None:
    assert open_split("penn", deephar, "test").fingerprint() == open_split("penn", deephar, "test").fingerprint()
    made_penn.make(tmp_path, frames=20)
    others = [open_split("penn", folder, "test").fingerprint() for folder in (deephar, owners, tmp_path)]
    assert len({*others, open_split("penn", deephar, "train").fingerprint()}) == 4


def test_a_folder_without_annotations_says_which_are_wanted(tmp_path: Path) -> None:
    (tmp_path / "Penn_Action.tar.gz").write_bytes(b"\x1f\x8b")
    with pytest.raises(DataProblem, match=r"(?s)has no annotations\.mat.*unpack.*penn_annotations\.mat"):
        open_split("penn", tmp_path, "train")


@pytest.mark.parametrize("damage", ["cut", "other", "page"])
def test_damaged_annotations_are_refused(deephar: Path, owners: Path, tmp_path: Path, damage: str) -> None:
    whole = (deephar / "annotations.mat").read_bytes()
    damaged = {
        "cut": whole[: len(whole) // 2],
        "other": (owners / "labels" / "0001.mat").read_bytes(),
        "page": b"<!DOCTYPE html><p>Sign in",
    }
    (tmp_path / "annotations.mat").write_bytes(damaged[damage])
    said = {"cut": "cut", "other": "has no action_labels", "page": "web page"}
    with pytest.raises(DataProblem, match=said[damage]):
        open_split("penn", tmp_path, "train")


def test_a_damaged_label_file_is_named(owners: Path, tmp_path: Path) -> None:
    shutil.copytree(owners / "labels", tmp_path / "labels")
    label = tmp_path / "labels" / "0003.mat"
    label.write_bytes(label.read_bytes()[:200])
    with pytest.raises(DataProblem, match=r"0003\.mat.*Download it again"):
        open_split("penn", tmp_path, "train")
    annotations, *_ = module_of("penn").inspect(tmp_path)
    assert annotations.state is State.WRONG
    assert "0003.mat" in annotations.found


def test_the_check_says_what_is_there(deephar: Path, owners: Path, tmp_path: Path) -> None:
    annotations, pictures, frames, clips = module_of("penn").inspect(deephar)
    assert annotations.state is State.UNKNOWN  # made up: not the published version
    assert "3 sequences in train, 2 sequences in test" in annotations.found
    assert (pictures.state, frames.state, clips.state) == (State.OK, State.OK, State.UNKNOWN)
    annotations, pictures, frames, _ = module_of("penn").inspect(owners)
    assert (annotations.what, annotations.state, pictures.state) == ("labels/*.mat", State.OK, State.OK)
    assert frames.state is State.MISSING
    assert f"deephar-models data boxes penn --data {owners}" in frames.source
    assert {finding.state for finding in module_of("penn").inspect(tmp_path)} == {State.MISSING}


def test_the_check_names_missing_pictures(tmp_path: Path) -> None:
    made_penn.make(tmp_path, train=1, test=1, frames=4)
    (tmp_path / "frames" / "0001" / "000003.jpg").unlink()
    pictures = module_of("penn").inspect(tmp_path)[1]
    assert pictures.state is State.MISSING
    assert "7 of 8 are there; missing: frames/0001/000003.jpg" in pictures.found
