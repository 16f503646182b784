"""What is written in a format is read by others, and has the numbers of REST's answer."""

from __future__ import annotations

import contextlib
import copy
import csv
import io
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deephar.formats import FORMATS, FormatError, Poses
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from trc import TRCData

from service.rest.schemas import LayoutJson
from service.vision.layouts import LAYOUTS

Json = dict[str, Any]
POINT_3D = ("right_shoulder", "right_elbow", "right_wrist", "right_hip", "right_knee", "right_ankle")


def layout(name: str, has_depth: bool = True) -> Json:
    return LayoutJson.of(LAYOUTS[name], has_depth).model_dump(mode="json")


def written(name: str, poses: list[Poses], layout_json: Json, person_id: int | None = None) -> str:
    return "".join(FORMATS[name].chunks(poses, layout_json, person_id))


numbers = st.floats(-5000, 5000, allow_nan=False, width=32)
scores = st.floats(0, 1, width=32)


@st.composite
def people(draw: st.DrawFn, joints: tuple[str, ...], missing: set[str], has_depth: bool, ids: bool) -> list[Json]:
    """People as REST answers them; `missing` joints are null."""
    found = []
    for number in range(draw(st.integers(0, 3))):
        keypoints = []
        for name in joints:
            place: Json = dict.fromkeys("xyz") if name in missing else {axis: draw(numbers) for axis in "xyz"}
            if not has_depth:
                del place["z"]
            keypoints.append({"name": name, **place, "score": 0.0 if name in missing else draw(scores)})
        box = [draw(numbers), draw(numbers), draw(st.floats(1, 900, width=32)), draw(st.floats(1, 900, width=32))]
        whose = {"id": 3 * number + 1} if ids else {"detection_score": draw(scores)}
        found.append({"box": box, "score": draw(scores), **whose, "keypoints": keypoints})
    return found


@st.composite
def takes(draw: st.DrawFn, ids: bool, has_depth: bool = True) -> tuple[Json, list[Poses]]:
    """A layout, and a few frames or pictures in it."""
    chosen = LAYOUTS[draw(st.sampled_from(sorted(LAYOUTS)))]
    missing = draw(st.sets(st.sampled_from(chosen.joints), max_size=len(chosen.joints) - 1))
    poses = [
        Poses(
            draw(st.sampled_from([None, "clip.mp4", 'a, "b".jpg', "ä\nb.jpg", "=1+1", "\udcff.png"])),
            number,
            number * 0.1 if ids else None,
            640,
            480,
            draw(people(chosen.joints, missing, has_depth, ids)),
        )
        for number in range(draw(st.integers(0, 4)))
    ]
    return layout(chosen.name, has_depth), poses


either = st.booleans().flatmap(lambda ids: takes(ids=ids)) | takes(ids=False, has_depth=False)


def everybody(poses: list[Poses]) -> list[tuple[Poses, int, Json]]:
    return [(each, person_id, dict(person)) for each in poses for person_id, person in each.numbered()]


@given(either)
def test_csv_has_a_row_for_each_joint(take: tuple[Json, list[Poses]]) -> None:
    layout_json, poses = take
    text = written("csv", poses, layout_json)
    text.encode()
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    for each, person_id, person in everybody(poses):
        for joint in person["keypoints"]:
            row = next(rows)
            name = (each.file_name or "").encode("utf-8", "replace").decode()
            assert row["file"] == (f"./{name}" if name.startswith("=") else name)
            assert (row["frame"], row["person"], row["joint"]) == (str(each.frame_id), str(person_id), joint["name"])
            assert row["time_s"] == "" if each.time_s is None else float(row["time_s"]) == pytest.approx(each.time_s)
            for axis in "xyz":
                if joint.get(axis) is None:
                    assert row[axis] == ""
                else:
                    assert float(row[axis]) == pytest.approx(joint[axis], abs=6e-4)
            assert float(row["score"]) == pytest.approx(joint["score"], abs=6e-5)
    assert next(rows, None) is None
    assert text.count("\r\n") >= 1 + sum(len(person["keypoints"]) for _, _, person in everybody(poses))


@given(takes(ids=True))
def test_mot_lines_have_the_boxes_of_tracks(take: tuple[Json, list[Poses]]) -> None:
    layout_json, poses = take
    text = written("mot", poses, layout_json)
    people = everybody(poses)
    if not people:
        assert text == ""
        return
    rows = np.loadtxt(io.StringIO(text), delimiter=",", ndmin=2)
    expected = [
        [each.frame_id + 1, person_id, *person["box"], person["score"], -1, -1, -1]
        for each, person_id, person in people
    ]
    assert rows == pytest.approx(np.array(expected), abs=6e-4)


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0.mp4", "+1.mp4", "-1.mp4", "@SUM(1).mp4", "\t=1.mp4", "\r=1.mp4"])
def test_no_cell_of_a_csv_is_a_formula(name: str) -> None:
    person = {"box": [0, 0, 1, 1], "score": 1.0, "keypoints": [{"name": "nose", "x": 1.0, "y": 2.0, "score": 1.0}]}
    text = written("csv", [Poses(name, 0, None, 9, 9, [person])], layout("coco17"))
    (row,) = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    assert row["file"] == f"./{name}"


@pytest.mark.parametrize("name", ["coco", "trc"])
def test_a_full_disk_is_told_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is set aside finds no room, neither at the end nor when it is closed."""
    monkeypatch.setattr("deephar.formats.aside.SpooledTemporaryFile", lambda **_: open("/dev/full", "w+"))  # noqa: SIM115
    writer = FORMATS[name].open(layout("coco17"), None)
    writer.begin()
    writer.add(Poses(None, 0, 0.0, 9, 9, []))
    with pytest.raises(OSError, match="No space"):
        list(writer.end())
    writer.close()


def test_mot_needs_ids() -> None:
    person = {"box": [0, 0, 1, 1], "score": 1, "keypoints": []}
    with pytest.raises(FormatError, match="send a video"):
        written("mot", [Poses("a.jpg", 0, None, 9, 9, [person])], layout("pa16"))


@given(either)
def test_openpose_has_a_document_a_line(take: tuple[Json, list[Poses]]) -> None:
    layout_json, poses = take
    lines = written("openpose", poses, layout_json).splitlines()
    assert len(lines) == len(poses)
    for each, line in zip(poses, lines, strict=True):
        document = json.loads(line, parse_constant=pytest.fail)
        assert document["version"] == 1.3
        for person, theirs in zip(each.people, document["people"], strict=True):
            assert theirs["person_id"] == [person.get("id", -1)]
            flat = np.array(theirs["pose_keypoints_2d"]).reshape(-1, 3)
            expected = [[k["x"] or 0, k["y"] or 0, k["score"]] for k in person["keypoints"]]
            assert flat == pytest.approx(np.array(expected), abs=6e-4)
            assert len(theirs["pose_keypoints_3d"]) == (4 * len(flat) if "z" in layout_json["units"] else 0)


def test_openpose_is_in_the_order_of_its_18_joints() -> None:
    """As `poseParametersRender` of OpenPose's COCO model has them."""
    theirs = "Nose Neck RShoulder RElbow RWrist LShoulder LElbow LWrist RHip RKnee RAnkle LHip LKnee LAnkle REye LEye"
    ours = LAYOUTS[str(FORMATS["openpose"].layout)].joints
    words = {"R": "right_", "L": "left_"}
    for name, joint in zip(f"{theirs} REar LEar".split(), ours, strict=True):
        named = words.get(name[0], "") + (name[1:] if name[0] in words else name).lower()
        assert joint == {"neck": "shoulder_middle"}.get(named, named)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("formats")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()):
        yield


def coco_of(text: str, folder: Path) -> COCO:
    file = folder / "coco.json"
    file.write_text(text)
    with quiet():
        return COCO(str(file))


@given(take=either)
def test_coco_is_read_by_pycocotools(take: tuple[Json, list[Poses]], folder: Path) -> None:
    layout_json, poses = take
    text = written("coco", poses, layout_json)
    json.loads(text, parse_constant=pytest.fail)
    coco = coco_of(text, folder)
    (category,) = coco.loadCats(coco.getCatIds())
    assert category["keypoints"] == layout_json["joints"]
    assert [[a - 1, b - 1] for a, b in category["skeleton"]] == [list(edge) for edge in layout_json["edges"]]
    assert len(coco.imgs) == len(poses)
    found = coco.loadAnns(coco.getAnnIds())
    for annotation, (each, person_id, person) in zip(found, everybody(poses), strict=True):
        image = coco.imgs[annotation["image_id"]]
        assert (image["width"], image["height"]) == (each.width, each.height)
        assert image.get("frame_id") == (None if each.time_s is None else each.frame_id)
        assert annotation.get("track_id") == (None if each.time_s is None else person_id)
        assert annotation["bbox"] == pytest.approx(person["box"], abs=6e-4)
        flat = np.array(annotation["keypoints"]).reshape(-1, 3)
        missing = np.array([k["x"] is None for k in person["keypoints"]])
        assert not flat[missing].any()
        expected = [[k["x"], k["y"]] for k in person["keypoints"] if k["x"] is not None]
        assert flat[~missing, :2] == pytest.approx(np.array(expected), abs=6e-4)
        assert set(flat[~missing, 2]) <= {1, 2}
        assert annotation["num_keypoints"] == (~missing).sum()
        assert annotation["keypoint_scores"] == pytest.approx([k["score"] for k in person["keypoints"]], abs=6e-5)
    if found:
        with quiet():
            assert len(coco.loadRes(copy.deepcopy(found)).anns) == len(found)


def someone(x: float, y: float, score: float = 0.9, missing: tuple[str, ...] = ()) -> Json:
    rng = np.random.default_rng(round(x + y))
    joints = LAYOUTS["coco17"].joints
    places = rng.uniform([x, y], [x + 100, y + 200], (len(joints), 2)).tolist()
    keypoints = [
        {"name": name, "x": None, "y": None, "score": 0.0}
        if name in missing
        else {"name": name, "x": px, "y": py, "score": score}
        for name, (px, py) in zip(joints, places, strict=True)
    ]
    return {"box": [x, y, 100.0, 200.0], "score": score, "keypoints": keypoints}


def test_coco_evaluates_to_1_against_itself(folder: Path) -> None:
    missing = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
    poses = [
        Poses("000000000139.jpg", 0, None, 640, 480, [someone(10, 20), someone(300, 50, 0.7, missing)]),
        Poses("street.jpg", 1, None, 640, 480, [someone(50, 200, 0.6, missing)]),
        Poses(None, 2, None, 640, 480, []),
    ]
    coco = coco_of(written("coco", poses, layout("coco17", has_depth=False)), folder)
    assert sorted(coco.imgs) == [2, 3, 139], "COCO's own numbers, where names have them"
    with quiet():
        results = coco.loadRes(copy.deepcopy(coco.dataset["annotations"]))
        evaluation = COCOeval(coco, results, "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0)


def test_coco_gives_each_picture_an_id_of_its_own() -> None:
    names = ["2.jpg", "b.jpg", "2.png", "a/02.jpg", None, "²³.jpg", "9" * 40 + ".jpg"]
    poses = [Poses(name, number, None, 9, 9, []) for number, name in enumerate(names)]
    images = json.loads(written("coco", poses, layout("coco17")))["images"]
    assert len({image["id"] for image in images}) == len(names)
    assert [image["file_name"] for image in images][:2] == ["2.jpg", "b.jpg"]


def test_frames_have_names_as_ffmpeg_gives_them() -> None:
    poses = [Poses("walks/clip.mp4", 12, 0.48, 9, 9, [])]
    (image,) = json.loads(written("coco", poses, layout("coco17")))["images"]
    assert (image["file_name"], image["frame_id"], image["time_s"]) == ("clip_000012.jpg", 12, 0.48)


def trc_of(text: str, folder: Path) -> TRCData:
    file = folder / "take.trc"
    file.write_text(text)
    data = TRCData()
    data.load(str(file))
    return data


@given(take=takes(ids=True))
def test_trc_is_read_by_a_reader(take: tuple[Json, list[Poses]], folder: Path) -> None:
    layout_json, poses = take
    data = trc_of(written("trc", poses, layout_json), folder)
    assert (data["NumFrames"], data["Units"]) == (len(poses), "mm")
    assert data["Frame#"] == list(range(1, len(poses) + 1))
    assert data["Time"] == pytest.approx([each.time_s for each in poses])
    if len(poses) > 1:
        assert data["DataRate"] == pytest.approx(10)
    assert set(data["Markers"]) <= set(layout_json["joints"])
    assert all(len(data[name]) == len(poses) for name in data["Markers"])


def in_space(person_id: int, offset: float, missing: tuple[str, ...] = ()) -> Json:
    keypoints = []
    for number, name in enumerate(POINT_3D):
        place = [100.0 * number + offset, -50.0 * number, 4000.0 + offset]
        known = {"x": 1.0, "y": 2.0, "z": 3.0, "position_mm": place}
        keypoints.append({"name": name, "score": 0.5, **(dict.fromkeys("xyz") if name in missing else known)})
    return {"box": [0, 0, 1, 1], "score": 1, "id": person_id, "keypoints": keypoints}


SPACE = {"name": "six", "joints": list(POINT_3D), "edges": [], "units": {"x": "px", "y": "px", "z": "mm_from_root"}}


def test_trc_has_the_places_of_one_person_with_y_up(folder: Path) -> None:
    gone = ("right_wrist",)
    poses = [
        Poses("a walk.mp4", 0, 0.0, 9, 9, [in_space(1, 0, gone), in_space(2, 7, gone)]),
        Poses("a walk.mp4", 3, 0.12, 9, 9, [in_space(2, 8, ("right_elbow", *gone))]),
        Poses("a walk.mp4", 6, 0.24, 9, 9, []),
    ]
    main = trc_of(written("trc", poses, SPACE), folder)
    assert main["Markers"] == [name for name in POINT_3D if name not in gone], "nobody has the others"
    assert main["right_knee"][:2] == [[407, 200, -4007], [408, 200, -4008]], "of the one who is in most frames"
    assert np.isnan([*main["right_elbow"][1], *main["right_knee"][2]]).all()
    assert main["DataRate"] == pytest.approx(2 / 0.24, rel=1e-4)
    other = trc_of(written("trc", poses, SPACE, person_id=1), folder)
    assert other["right_knee"][0] == [400, 200, -4000]
    assert np.isnan(other["right_knee"][1]).all()
    with pytest.raises(FormatError, match="no person with person_id 9"):
        written("trc", poses, SPACE, person_id=9)


def test_without_a_camera_limbs_have_the_lengths_of_a_person_of_1_7_m(folder: Path) -> None:
    lengths = {"elbow": 0.186, "wrist": 0.146, "knee": 0.245, "ankle": 0.246}
    chains = {"shoulder": ("elbow", "wrist"), "hip": ("knee", "ankle")}
    rng, mm_per_px = np.random.default_rng(3), 4.2
    body = {"pelvis": np.zeros(3)}
    for side, sign in {"right": -1, "left": 1}.items():
        for start, ends in chains.items():
            name = f"{side}_{start}"
            body[name] = np.array([sign * 150, -500 if start == "shoulder" else 0, 40 * sign])
            for end in ends:
                way = rng.normal(size=3)
                body[f"{side}_{end}"] = body[name] + 1700 * lengths[end] * way / np.linalg.norm(way)
                name = f"{side}_{end}"
    keypoints = [
        {"name": name, "x": 300 + x / mm_per_px, "y": 200 + y / mm_per_px, "z": z, "score": 1.0}
        for name, (x, y, z) in ((name, place.tolist()) for name, place in body.items())
    ]
    person = {"box": [0, 0, 1, 1], "score": 1, "keypoints": keypoints}
    shape = SPACE | {"joints": list(body)}
    data = trc_of(written("trc", [Poses("a.jpg", 0, None, 640, 480, [person])], shape), folder)
    for name, place in body.items():
        assert data[name][0] == pytest.approx((place * [1, -1, -1]).tolist(), abs=0.01)


def test_each_format_says_what_it_needs() -> None:
    with pytest.raises(FormatError, match="knows no depth"):
        written("trc", [], layout("pa16", has_depth=False))
    with pytest.raises(FormatError, match="person_id is of trc"):
        written("csv", [], layout("pa16"), person_id=1)


@pytest.mark.parametrize("name", FORMATS)
def test_videos_of_any_length_need_little_memory(name: str) -> None:
    form = FORMATS[name]
    keypoints = [
        {"name": joint, "x": 1.0, "y": 2.0, "z": 3.0, "position_mm": [1.0, 2.0, 3.0], "score": 0.5}
        for joint in LAYOUTS["pa16"].joints
    ]
    people = [{"box": [0, 0, 1, 1], "score": 1, "id": 1, "keypoints": keypoints}]
    frames = (Poses("clip.mp4", number, number / 25, 9, 9, people) for number in range(3000))
    tracemalloc.start()
    try:
        size = sum(len(part) for part in form.chunks(frames, layout("pa16")))
        assert tracemalloc.get_traced_memory()[1] < 3e6
    finally:
        tracemalloc.stop()
    assert size > (7e4 if name == "mot" else 1e6)
