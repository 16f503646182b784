from __future__ import annotations

import json

import numpy as np
import pytest
from deephar.v1 import inference_pb2 as pb

from service.networks.frame import FrameOutput
from service.networks.score_rule import ScoreRule
from service.pipeline.person import person_in, person_score
from service.rest.schemas import person_json
from service.rpc.messages import person_message
from service.vision.boxes import Box
from service.vision.camera import Camera
from service.vision.crops import CropWindow
from service.vision.layouts import LAYOUTS

PA17, CAMERA = LAYOUTS["pa17"], Camera(1000, 1000, 50, 50, (3000.0, 5000.0))
RNG = np.random.default_rng(1)


def test_a_detection_moves_the_score_of_the_joints() -> None:
    rule = ScoreRule(bias=0.0, keypoints=1.0, detection=0.5)
    assert person_score(0.7, None, rule) == person_score(0.7, 0.9, None) == 0.7
    assert person_score(0.7, 0.5, rule) == pytest.approx(0.7)
    assert person_score(0.7, 0.9, rule) > 0.8
    assert person_score(0.7, 0.1, rule) < 0.6
    assert 0 < person_score(0.0, 0.0, rule) < person_score(1.0, 1.0, rule) < 1


def output(with_depth: bool, score: float = 0.9) -> FrameOutput:
    """What the frame network says of two crops."""
    return FrameOutput(
        crop_windows=[CropWindow(0, 0, 100), CropWindow(10, 0, 100)],
        keypoints_px=RNG.uniform(0, 100, (2, 17, 2)).astype(np.float32),
        depths_mm=RNG.uniform(-500, 500, (2, 17)).astype(np.float32) if with_depth else None,
        scores=np.full((2, 17), score, np.float32),
        features=None,
    )


def test_without_depth_there_is_neither_depth_nor_place() -> None:
    person = person_in(output(with_depth=False), 0, None, PA17, LAYOUTS["mpii16"])
    assert person.keypoints_px.shape == (16, 2)
    assert (person.depths_mm, person.positions_mm) == (None, None)
    assert all((point.z_mm, point.position_mm) == (None, None) for point in person.points())


def test_without_a_camera_there_is_depth_and_no_place() -> None:
    seen = output(with_depth=True)
    person = person_in(seen, 1, None, PA17, PA17)
    assert seen.depths_mm is not None
    assert [point.z_mm for point in person.points()] == seen.depths_mm[1].tolist()
    assert person.positions_mm is None


def test_each_person_has_their_own_root_depth_and_box() -> None:
    seen, box = output(with_depth=True), Box(1, 2, 3, 4)
    people = [person_in(seen, i, box, PA17, PA17, CAMERA) for i in range(2)]
    assert seen.depths_mm is not None
    for person, depths_mm, root_mm in zip(people, seen.depths_mm, CAMERA.root_depths_mm, strict=True):
        assert person.box == box
        assert person.positions_mm is not None
        assert person.positions_mm[:, 2] == pytest.approx(root_mm + depths_mm, abs=1e-3)


def test_places_are_converted_and_not_computed_from_converted_pixels() -> None:
    seen = output(with_depth=True)
    own = list(person_in(seen, 0, None, PA17, PA17, CAMERA).points())
    wanted = LAYOUTS["openpose18"]
    other = dict(zip(wanted.joints, person_in(seen, 0, None, PA17, wanted, CAMERA).points(), strict=True))
    right, left = (own[PA17.joints.index(f"{side}_shoulder")].position_mm for side in ("right", "left"))
    assert right is not None
    assert left is not None
    middle = (np.array(right) + left) / 2
    assert other["shoulder_middle"].position_mm == pytest.approx(middle.tolist(), abs=1e-2)


@pytest.mark.parametrize("camera", [None, CAMERA])
@pytest.mark.parametrize("with_depth", [True, False])
def test_joints_that_the_model_lacks_have_no_place_and_change_neither_score_nor_box(
    with_depth: bool, camera: Camera | None
) -> None:
    seen, wanted = output(with_depth), LAYOUTS["coco17"]
    own, other = (person_in(seen, 0, None, PA17, layout, camera) for layout in (PA17, wanted))
    assert (other.score, other.box) == (own.score, own.box)
    points = dict(zip(wanted.joints, other.points(), strict=True))
    assert points["nose"] == (None, None, 0, None, None)
    assert points["left_hip"] == dict(zip(PA17.joints, own.points(), strict=True))["left_hip"]
    answer = person_json(other, wanted)
    nose = answer["keypoints"][wanted.joints.index("nose")]
    assert nose == {"name": "nose", "x": None, "y": None, "score": 0, **({"z": None} if with_depth else {})}
    json.dumps(answer, allow_nan=False)
    message = person_message(other, wanted).keypoints[wanted.joints.index("nose")]
    assert message == pb.Keypoint(name="nose")
    assert not any(message.HasField(field) for field in ("x", "y", "z", "position_mm"))


def test_where_too_few_joints_have_high_scores_the_crop_window_is_the_box() -> None:
    person = person_in(output(with_depth=True, score=0.1), 1, None, PA17, PA17)
    assert person.box == Box(10, 0, 100, 100)
