from __future__ import annotations

import numpy as np
import pytest

from models.evaluation.metrics.blocks import H36mScores, h36m_blocks, mpii_blocks, reported_block, world_mm
from models.protocol.camera import Camera
from models.protocol.crop import inside_crop, to_image_px
from tests.models.evaluation.metrics.vectors import FUNCTIONS, MEASURES, annotated

CAMERA_VECTORS = np.load(FUNCTIONS / "camera.npz")
MPII = {name: MEASURES[f"evalmpii_in_{name}"] for name in ("pose", "afmat", "head", "pred")}
H36M = {name: MEASURES[f"evalh36m_in_{name}"] for name in ("pose_w", "afmat", "rootz", "cam", "pred", "action")}


def h36m_scores(*, strict: bool) -> H36mScores:
    cameras = [Camera.from_numbers(numbers) for numbers in H36M["cam"]]
    return h36m_blocks(H36M["pred"], H36M["pose_w"], H36M["afmat"], H36M["rootz"], cameras, strict=strict)


def test_mpii_is_that_of_the_original_block_by_block() -> None:
    truth_px = to_image_px(MPII["afmat"], MPII["pose"])
    blocks = mpii_blocks(MPII["pred"], truth_px, MPII["afmat"], MPII["head"], annotated(MPII["pose"]))
    assert [block.mean for block in blocks] == pytest.approx(MEASURES["evalmpii_out_scores"].tolist(), rel=1e-12)


def test_the_originals_joints_are_those_inside_of_the_crop() -> None:
    assert (annotated(MPII["pose"]) == inside_crop(MPII["pose"])).all()


def test_human36m_is_that_of_the_original_block_by_block() -> None:
    scores = h36m_scores(strict=False)
    assert [block.mean for block in scores.blocks] == pytest.approx(MEASURES["evalh36m_out_scores"].tolist(), rel=1e-12)
    assert scores.reported == MEASURES["evalh36m_out_scores"].argmin() == 1


def test_human36m_is_that_of_the_original_action_by_action() -> None:
    per_action = h36m_scores(strict=False).per_action(H36M["action"])
    expected = MEASURES["evalh36m_out_per_action"]
    assert list(per_action) == expected[:, 0].tolist()
    assert [poses.mean for poses in per_action.values()] == pytest.approx(expected[:, 1].tolist(), abs=0.05)


def test_strictly_the_last_block_counts_and_the_root_does_not() -> None:
    strict, original = h36m_scores(strict=True), h36m_scores(strict=False)
    assert strict.reported == 2
    assert [block.mean for block in strict.blocks] == pytest.approx([b.mean * 17 / 16 for b in original.blocks])
    actions = strict.per_action(H36M["action"].ravel())
    assert np.mean([poses.mean for poses in actions.values()]) == pytest.approx(strict.blocks[2].mean)  # 4 poses each


@pytest.mark.parametrize("camera", [slice(1), slice(4)])
def test_predictions_in_the_world_are_those_of_the_camera(camera: slice) -> None:
    model = Camera.from_numbers(CAMERA_VECTORS["out_serial"])
    poses = CAMERA_VECTORS["in_pred"][camera]
    made = world_mm(poses, CAMERA_VECTORS["in_afmat"][camera], CAMERA_VECTORS["in_rootz"][camera], [model] * len(poses))
    expected = [model.to_world_mm(uvz) for uvz in CAMERA_VECTORS["out_uvd_from_pred"][camera]]
    assert np.allclose(made, expected, rtol=1e-9, atol=0)


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
