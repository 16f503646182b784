from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from models.datasets.catalogue import module_of, open_split
from models.datasets.check import State
from models.datasets.problem import DataProblem
from models.protocol.camera import depth_to_crop
from models.protocol.clips import single_clip
from models.protocol.joints import NTU, PA16, PA17, PA20, indices
from models.protocol.window import Window
from tests.models.datasets import made_ntu
from tests.models.datasets.golden_clips import FUNCTIONS, NTU_ID, VECTORS, crops, plan_of, poses_crop, write_ntu


@pytest.fixture(scope="module")
def deephar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ntu")
    made_ntu.make(folder, frames=20)
    return folder


@pytest.fixture(scope="module")
def owners(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ntu_of_owners")
    made_ntu.make(folder, frames=20, form="owners", second_body=True)
    return folder


def test_a_clip_is_that_of_the_original(tmp_path: Path) -> None:
    write_ntu(tmp_path)
    (clip,) = open_split("ntu", tmp_path, "train")
    frames = single_clip(clip.frames, 8, 4)
    plan = plan_of(clip, frames)
    truth = VECTORS["ntu_out_pose"]
    depth = clip.keypoints[frames][:, indices(NTU, PA17), 2]
    depth = depth_to_crop(depth, np.full(8, np.nanmean(depth[:, 0])))
    xyv = poses_crop(clip, frames, plan, PA17)
    assert frames == VECTORS["ntu_out_frame_list"].tolist()
    assert np.allclose(plan.affine, VECTORS["ntu_out_afmat"], rtol=0, atol=1e-13)
    assert np.allclose(xyv, truth[..., [0, 1, 3]], rtol=1e-13, atol=1e-10)
    assert np.allclose(np.where(xyv[..., 2] > 0, depth, -1e9), truth[..., 2], rtol=1e-13, atol=1e-10)
    assert (crops(clip, frames, plan) == VECTORS["ntu_out_frame8"]).all()
    assert clip.action == VECTORS["ntu_out_action"]
    assert (clip.key, clip.image_size, clip.joints) == (NTU_ID, (960, 540), NTU)


def test_windows_are_around_the_joints_of_the_network(deephar: Path) -> None:
    few, many = (open_split("ntu", deephar, "train", window_joints=joints)[0] for joints in (PA17, PA20))
    assert many.window_of([0, 5, 10]).height > few.window_of([0, 5, 10]).height  # feet are below ankles


@pytest.mark.parametrize(("frames", "golden"), [(range(6), "gt_out"), ([0], "gt_out_one")])
def test_windows_of_annotated_poses_are_those_of_the_original(
    tmp_path: Path, frames: Sequence[int], golden: str
) -> None:
    vectors = np.load(FUNCTIONS / "boxes.npz")
    poses, visible = vectors["gt_in_pose"], vectors["gt_in_visible"] > 0
    rows = np.zeros((len(poses), 151))
    rows[:, 0] = np.arange(len(poses)) + 1
    of_file = rows[:, 76:].reshape(len(poses), 3, 25)
    of_file[:, :2, indices(NTU, PA16)] = np.where(visible[..., None], 2 * poses, 0).swapaxes(1, 2)  # full HD
    of_file[:, 2, indices(NTU, PA16)] = 3000
    (tmp_path / "nturgb+d_numpy").mkdir()
    np.save(tmp_path / "nturgb+d_numpy" / f"{NTU_ID}.npy", rows)
    (clip,) = open_split("ntu", tmp_path, "train", window_joints=PA16)
    wanted = vectors[golden][1] if golden == "gt_out" else vectors[golden]  # of the scale 1
    assert np.allclose(clip.window_of(frames).corners, wanted, rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("protocol", "train", "test"),
    [("cross-subject", [0, 1, 2], [3, 4]), ("cross-view", [1, 2, 4], [0, 3])],
)
def test_the_protocols_split_by_people_and_by_cameras(
    deephar: Path, protocol: str, train: list[int], test: list[int]
) -> None:
    for split, wanted in (("train", train), ("test", test)):
        clips = list(open_split("ntu", deephar, split, protocol=protocol))
        assert [clip.key for clip in clips] == sorted(made_ntu.IDS[i] for i in wanted)
        assert [clip.action for clip in clips] == [int(clip.key[-3:]) - 1 for clip in clips]


def test_both_forms_give_the_same_clips(deephar: Path, owners: Path) -> None:
    ours, theirs = open_split("ntu", deephar, "train"), open_split("ntu", owners, "train")
    assert len(ours) == len(theirs) == 3
    for one, other in zip(ours, theirs, strict=True):
        assert (one.key, one.action, one.frames) == (other.key, other.action, other.frames)
        assert np.allclose(one.keypoints, other.keypoints, rtol=0, atol=1e-3, equal_nan=True)  # texts have 7 digits
        for frame in (0, 7, 19, 3):
            assert np.abs(one.read(frame).astype(int) - other.read(frame)).mean() < 3  # JPEG, and MJPEG


def test_a_full_hd_video_is_read_at_half_size(tmp_path: Path) -> None:
    made_ntu.make(tmp_path, ids=[NTU_ID], frames=3, form="owners", size=made_ntu.FULL_HD)
    clip = open_split("ntu", tmp_path, "train")[0]
    pixels = clip.read(2)
    assert pixels.shape == (540, 960, 3)
    x, y = np.round(clip.keypoints[2, NTU.index("right_knee"), :2]).astype(int)
    red, _, blue = pixels[y, x].astype(int)
    assert red > blue + 80  # the right leg's colour is where the annotation has the knee


def test_every_second_frame_is_dropped_before_the_multitask_protocol(deephar: Path) -> None:
    whole, half = (open_split("ntu", deephar, "test", every=every)[0] for every in (1, 2))
    assert (whole.frames, half.frames) == (20, 10)
    assert np.array_equal(half.keypoints, whole.keypoints[::2], equal_nan=True)
    assert (half.read(3) == whole.read(6)).all()
    assert open_split("ntu", deephar, "test").fingerprint() != open_split("ntu", deephar, "test", every=2).fingerprint()


def test_joints_that_are_not_positive_are_not_annotated(tmp_path: Path) -> None:
    made_ntu.make(tmp_path, ids=[NTU_ID], frames=2)
    file = tmp_path / "nturgb+d_numpy" / f"{NTU_ID}.npy"
    rows = np.load(file)
    rows[0, 76 + 4] = 0  # u of joint 4
    np.save(file, rows)
    clip = open_split("ntu", tmp_path, "train")[0]
    assert not clip.visible[0, 4]
    assert np.isnan(clip.keypoints[0, 4]).all()
    assert clip.visible.sum() == 2 * 25 - 1


def body(name: str, coordinates: np.ndarray) -> list[str]:
    rows = np.zeros((25, 12))
    rows[:, :3], rows[:, 5:7] = coordinates, 400 + 100 * coordinates[:, :2]
    return [f"{name} 0 0 0 0 0 0 0 0 2", "25", *(" ".join(map(str, row)) for row in rows.tolist())]


def skeleton_file(folder: Path, frames: list[list[tuple[str, np.ndarray]]]) -> Path:
    lines = [str(len(frames))]
    for bodies in frames:
        lines += [str(len(bodies)), *(line for name, points in bodies for line in body(name, points))]
    file = folder / "nturgb+d_skeletons" / f"{NTU_ID}.skeleton"
    file.parent.mkdir(exist_ok=True)
    file.write_text("\n".join(lines))
    return file


def standing(x: float, frame: int, speed: float, width: float = 0.4) -> np.ndarray:
    rng = np.random.default_rng(5)
    points = np.column_stack([rng.uniform(0, width, 25), rng.uniform(0, 1.7, 25), np.full(25, 3.0)])
    return np.asarray(points + np.array([x + speed * frame, 0, 0]))


def main_centre(folder: Path) -> tuple[int, np.ndarray]:
    clip = open_split("ntu", folder, "train")[0]
    return clip.frames, np.asarray(clip.keypoints[:, :, 0].mean(axis=1) * 2 - 400) / 100


def test_the_main_body_is_the_one_that_moves(tmp_path: Path) -> None:
    skeleton_file(tmp_path, [[("1", standing(-1, t, 0)), ("2", standing(1, t, 0.03))] for t in range(30)])
    frames, x = main_centre(tmp_path)
    assert frames == 30
    assert (x > 1).all()


def test_furniture_and_short_tracks_are_no_main_body(tmp_path: Path) -> None:
    frames = []
    for t in range(30):
        bodies = [("1", standing(-1, t, 0.001)), ("2", standing(1, t, 0.05, width=3.0))]  # wider than high
        frames.append([*bodies, ("3", standing(2, t, 0.5))] if t < 8 else bodies)
    skeleton_file(tmp_path, frames)
    count, x = main_centre(tmp_path)
    assert count == 30
    assert (x < 0).all()


def test_a_body_that_gets_another_number_stays_one_person(tmp_path: Path) -> None:
    skeleton_file(tmp_path, [[("1" if t < 18 else "9", standing(0, t, 0.01))] for t in range(40)])
    count, x = main_centre(tmp_path)
    assert count == 40
    assert np.allclose(np.diff(x), 0.01, atol=1e-6)


def test_frames_without_the_body_are_left_out_and_pictures_go_along(tmp_path: Path) -> None:
    made_ntu.make(tmp_path, ids=[NTU_ID], frames=20, form="owners", size=(320, 180))
    skeleton_file(tmp_path, [[("1", standing(0, t, 0.01))] if t not in (4, 5) else [] for t in range(20)])
    clip = open_split("ntu", tmp_path, "train")[0]
    assert clip.frames == 18
    every = tmp_path / "every"
    every.mkdir()
    made_ntu.make(every, ids=[NTU_ID], frames=20, form="owners", size=(320, 180))
    assert (clip.read(4) == open_split("ntu", every, "train")[0].read(6)).all()


def test_samples_without_a_body_are_left_out_and_named(tmp_path: Path) -> None:
    made_ntu.make(tmp_path, frames=4, form="owners", size=(160, 90))
    empty = tmp_path / "nturgb+d_skeletons" / f"{made_ntu.IDS[1]}.skeleton"
    empty.write_text("3\n0\n0\n0\n")
    assert [clip.key for clip in open_split("ntu", tmp_path, "train")] == [made_ntu.IDS[0], made_ntu.IDS[2]]
    annotations, pictures = module_of("ntu").inspect(tmp_path)
    assert f"1 without a body, which are left out: {made_ntu.IDS[1]}" in annotations.found
    assert pictures.state is State.OK


def test_sequences_of_the_larger_data_set_are_not_taken(deephar: Path, tmp_path: Path) -> None:
    made_ntu.make(tmp_path, ids=[NTU_ID, "S018C001P001R001A010", "S001C001P001R001A061"], frames=2)
    assert [clip.key for clip in open_split("ntu", tmp_path, "train")] == [NTU_ID]


@pytest.mark.parametrize("damage", ["cut", "page", "other"])
def test_damaged_skeletons_are_named(tmp_path: Path, damage: str) -> None:
    made_ntu.make(tmp_path, ids=[NTU_ID], frames=12, form="owners", size=(160, 90))
    file = tmp_path / "nturgb+d_skeletons" / f"{NTU_ID}.skeleton"
    text = file.read_text()
    file.write_text({"cut": text[: len(text) // 2], "page": "<!DOCTYPE html>", "other": "5\n1\nfew"}[damage])
    said = "web page" if damage == "page" else "cut or no skeleton file"
    with pytest.raises(DataProblem, match=rf"{NTU_ID}\.skeleton: .*{said}"):
        list(open_split("ntu", tmp_path, "train"))
    annotations, _ = module_of("ntu").inspect(tmp_path)
    assert annotations.state is State.WRONG
    assert said in annotations.found


@pytest.mark.parametrize("damage", ["cut", "columns", "empty"])
def test_damaged_arrays_are_named(tmp_path: Path, damage: str) -> None:
    made_ntu.make(tmp_path, ids=[NTU_ID], frames=6)
    file = tmp_path / "nturgb+d_numpy" / f"{NTU_ID}.npy"
    rows = np.load(file)
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-100])
    else:
        np.save(file, rows[:, :40] if damage == "columns" else rows[:0])
    with pytest.raises(DataProblem, match=rf"{NTU_ID}\.npy"):
        list(open_split("ntu", tmp_path, "train"))
    assert module_of("ntu").inspect(tmp_path)[0].state is State.WRONG


def test_missing_and_cut_videos_are_named(tmp_path: Path) -> None:
    made_ntu.make(tmp_path, frames=10, form="owners", size=(160, 90))
    videos = [tmp_path / "nturgb+d_rgb" / f"{name}_rgb.avi" for name in made_ntu.IDS]
    whole = videos[0].read_bytes()
    videos[0].write_bytes(whole[: len(whole) // 2])
    clip = open_split("ntu", tmp_path, "train")[0]
    with pytest.raises(DataProblem, match=rf"{videos[0].name} has no frame 10, it ends after"):
        clip.read(9)
    assert clip.read(1).shape == (540, 960, 3)  # what is there can still be read
    assert module_of("ntu").inspect(tmp_path)[1].state is State.WRONG
    videos[1].unlink()
    pictures = module_of("ntu").inspect(tmp_path)[1]
    assert pictures.state is State.MISSING
    assert f"4 of 5 sequences are there; missing: {made_ntu.IDS[1]}" in pictures.found
    with pytest.raises(DataProblem, match=r"rgb\.avi is missing"):
        open_split("ntu", tmp_path, "train")[1].read(0)


def test_predicted_boxes_go_by_the_sequences_names(deephar: Path, tmp_path: Path) -> None:
    boxes = {name: [[t, t + 1, t + 100, t + 200] for t in range(20)] for name in made_ntu.IDS}
    file = tmp_path / "boxes.jsonl"
    rows = [{"sequence": name, "boxes": of_name} for name, of_name in boxes.items()]
    file.write_text("\n".join(json.dumps(row) for row in ({}, *rows)) + "\n")
    for every in (1, 2):
        clip = open_split("ntu", deephar, "test", protocol="cross-view", every=every, boxes=file)[0]
        assert clip.window_of([0, 4]).corners == (0, 1, 4 * every + 100, 4 * every + 200)
    file.write_text("{}\n{\n")
    with pytest.raises(DataProblem, match="damaged or cut"):
        open_split("ntu", deephar, "test", boxes=file)


def test_an_empty_folder_says_what_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(DataProblem, match=r"has no nturgb\+d_numpy\. It comes from .*\.skeleton of the owners"):
        open_split("ntu", tmp_path, "train")
    assert {finding.state for finding in module_of("ntu").inspect(tmp_path)} == {State.MISSING}


def test_the_whole_image_is_a_square(deephar: Path) -> None:
    clip = open_split("ntu", deephar, "train", boxes="image")[0]
    assert clip.window_of([0, 1]) == Window.of_whole_image(960, 540)


def test_an_unknown_protocol_is_told(deephar: Path) -> None:
    with pytest.raises(DataProblem, match="no protocol 'cross_view' but cross-subject, cross-view"):
        open_split("ntu", deephar, "train", protocol="cross_view")


def test_a_split_without_a_sequence_is_told(tmp_path: Path) -> None:
    made_ntu.make(tmp_path, ids=[NTU_ID], frames=2)
    with pytest.raises(DataProblem, match="none of the split test in the protocol cross-subject"):
        open_split("ntu", tmp_path, "test")
