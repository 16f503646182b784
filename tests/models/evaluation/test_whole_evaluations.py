"""The original's evaluation loops of MPII and Human3.6M on fixed predictions: the protocols find its figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.datasets.samples import H36mPerson, MpiiPerson, Person
from models.evaluation.figures import Outcome
from models.evaluation.protocols.h36m import H36mProtocol
from models.evaluation.protocols.mpii import MpiiProtocol
from models.evaluation.protocols.people import AskingCrops
from models.protocol.camera import Camera
from models.protocol.crop import CropPlan, inside_crop, to_image_px
from models.protocol.joints import PA16, PA17
from models.protocol.window import Window
from tests.models.evaluation.made_answers import SIZE, made_target
from tests.models.evaluation.metrics.vectors import MEASURES, annotated

MPII = {name: MEASURES[f"evalmpii_in_{name}"] for name in ("pose", "afmat", "head", "pred")}
H36M = {name: MEASURES[f"evalh36m_in_{name}"] for name in ("pose_w", "afmat", "rootz", "cam", "pred", "action")}
PICTURE = np.zeros((SIZE, SIZE, 3), np.uint8)


class CropsByMaps(AskingCrops):
    """Crops whose maps are given, by the people's keys: no window has just these."""

    def __init__(self, joints: Sequence[str], predicted: NDArray[np.float64], maps: NDArray[np.float64]) -> None:
        super().__init__(made_target(joints, list(predicted.swapaxes(0, 1))), "single")
        self._maps = maps

    def _plans(self, person: Person) -> list[CropPlan]:
        side = (0, 0, SIZE, SIZE)
        return [CropPlan(side, (SIZE, SIZE), mirror=False, angle_deg=0.0, affine=self._maps[int(person.key)])]


def what_all_have(number: int, joints: Sequence[str]) -> dict[str, Any]:
    return {
        "key": str(number), "image_size": (SIZE, SIZE), "read": lambda: PICTURE, "joints": tuple(joints),
        "visible": np.ones(len(joints), bool), "window": Window(SIZE / 2, SIZE / 2, SIZE, SIZE),
    }  # fmt: skip


def mpii() -> Outcome:
    asking = CropsByMaps(PA16, MPII["pred"][..., :2], MPII["afmat"])
    protocol, rows = MpiiProtocol(asking), []
    answers = asking.ask([PICTURE] * len(MPII["pose"]))
    for number, (pose, answer) in enumerate(zip(MPII["pose"], answers, strict=True)):
        points = np.where(annotated(pose)[:, None], to_image_px(MPII["afmat"][number], pose), np.nan)
        head = float(MPII["head"][number, 0])
        person = MpiiPerson(**what_all_have(number, PA16), keypoints_px=points, head_size_px=head)
        rows.append(protocol.row(person, [answer]) | {"inside": inside_crop(pose)})
    return protocol.outcome(rows)


def h36m() -> Outcome:
    asking = CropsByMaps(PA17, H36M["pred"][..., :3], H36M["afmat"])
    protocol, rows = H36mProtocol(asking, ()), []
    answers = asking.ask([PICTURE] * len(H36M["pose_w"]))
    for number, (pose, answer) in enumerate(zip(H36M["pose_w"], answers, strict=True)):
        person = H36mPerson(
            **what_all_have(number, PA17),
            keypoints_px=np.zeros((len(PA17), 2)),
            world_mm=pose,
            uvz=np.full((len(PA17), 3), H36M["rootz"][number]),
            camera=Camera.from_numbers(H36M["cam"][number]),
            action=int(H36M["action"][number, 0]),
        )
        rows.append(protocol.row(person, [answer]))
    return protocol.outcome(rows)


def part(outcome: Outcome, of: str) -> list[float]:
    return next(list(one.values.values()) for one in outcome.parts if one.of == of)


def test_mpii_is_that_of_the_original_block_by_block() -> None:
    assert (annotated(MPII["pose"]) == inside_crop(MPII["pose"])).all()  # which joints the original counts
    outcome, expected = mpii(), 100 * MEASURES["evalmpii_out_scores"]
    assert part(outcome, "block") == pytest.approx(expected.tolist(), rel=1e-6)
    figure = outcome.figures[0]
    assert figure.original is not None
    assert figure.original.value == pytest.approx(expected[-1], rel=1e-6)  # the loop chooses nothing


def test_human36m_is_that_of_the_original_block_by_block_and_action_by_action() -> None:
    outcome, expected = h36m(), MEASURES["evalh36m_out_scores"]
    assert part(outcome, "block") == pytest.approx(expected.tolist(), rel=1e-6)
    of_actions = MEASURES["evalh36m_out_per_action"]
    (by_action,) = (one for one in outcome.parts if one.of == "action")
    assert [int(action) for action in by_action.values] == (of_actions[:, 0] + 1).tolist()
    assert list(by_action.values.values()) == pytest.approx(of_actions[:, 1].tolist(), abs=0.05)


def test_on_human36m_the_best_block_is_the_originals_and_the_last_one_without_the_root_is_strict() -> None:
    figure, expected = h36m().figures[0], MEASURES["evalh36m_out_scores"]
    assert figure.original is not None
    assert figure.strict is not None
    assert expected.argmin() == 1
    assert figure.original.value == pytest.approx(expected[1], rel=1e-6)
    assert figure.strict.value == pytest.approx(expected[2] * 17 / 16, rel=1e-6)
