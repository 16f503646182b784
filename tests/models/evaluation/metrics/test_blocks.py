from __future__ import annotations

import numpy as np
import pytest

from models.evaluation.metrics.blocks import reported_block
from models.evaluation.metrics.mpjpe import mpjpe
from models.evaluation.metrics.pck import pckh
from models.evaluation.metrics.tally import Tally
from models.protocol.camera import Camera, uvz_from_prediction
from models.protocol.crop import inside_crop, to_image_px
from models.protocol.joints import PA16
from tests.models.evaluation.metrics.vectors import MEASURES, annotated

MPII = {name: MEASURES[f"evalmpii_in_{name}"] for name in ("pose", "afmat", "head", "pred")}
H36M = {name: MEASURES[f"evalh36m_in_{name}"] for name in ("pose_w", "afmat", "rootz", "cam", "pred", "action")}


def h36m_blocks(*, strict: bool = False) -> list[Tally]:
    """MPJPE of each block: the evaluation of the original, of the crop's coordinates."""
    cameras = [Camera.from_numbers(numbers) for numbers in H36M["cam"]]
    blocks = (uvz_from_prediction(block, H36M["afmat"], H36M["rootz"]) for block in H36M["pred"])
    worlds = ([camera.to_world_mm(pose) for camera, pose in zip(cameras, uvz, strict=True)] for uvz in blocks)
    return [mpjpe(np.stack(world), H36M["pose_w"], leave_out_root=strict) for world in worlds]


def means(blocks: list[Tally]) -> list[float]:
    return [block.mean for block in blocks]


def test_mpii_is_that_of_the_original_block_by_block() -> None:
    truth_px = to_image_px(MPII["afmat"], MPII["pose"])
    blocks = [
        pckh(to_image_px(MPII["afmat"], block), truth_px, MPII["head"], annotated(MPII["pose"]), joints=PA16)
        for block in MPII["pred"]
    ]
    assert means(blocks) == pytest.approx(MEASURES["evalmpii_out_scores"].tolist(), rel=1e-12)


def test_the_originals_joints_are_those_inside_of_the_crop() -> None:
    assert (annotated(MPII["pose"]) == inside_crop(MPII["pose"])).all()


def test_human36m_is_that_of_the_original_block_by_block() -> None:
    found = means(h36m_blocks())
    assert found == pytest.approx(MEASURES["evalh36m_out_scores"].tolist(), rel=1e-12)
    assert reported_block(found, strict=False, lowest=True) == MEASURES["evalh36m_out_scores"].argmin() == 1


def test_human36m_is_that_of_the_original_action_by_action() -> None:
    best, actions = h36m_blocks()[1], H36M["action"].ravel()
    expected = MEASURES["evalh36m_out_per_action"]
    assert sorted(set(actions.tolist())) == expected[:, 0].tolist()
    per_action = [best.rows(actions == action) for action in expected[:, 0]]
    assert means(per_action) == pytest.approx(expected[:, 1].tolist(), abs=0.05)


def test_strictly_the_root_does_not_count() -> None:
    assert means(h36m_blocks(strict=True)) == pytest.approx([mean * 17 / 16 for mean in means(h36m_blocks())])


@pytest.mark.parametrize(
    ("values", "strict", "lowest", "block"),
    [
        ([80, 90, 85], True, False, 2),
        ([80, 90, 85], False, False, 1),
        ([80, 90, 85], False, True, 0),
        ([90, 90], False, False, 0),
    ],
)
def test_the_block_of_the_table(values: list[float], strict: bool, lowest: bool, block: int) -> None:
    assert reported_block(values, strict=strict, lowest=lowest) == block
