"""Which data set, target and protocol belong together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.evaluation.opening import Wanted, protocol_of_crops
from models.evaluation.problem import EvaluationProblem
from models.protocol.joints import PA16
from models.protocol.labels import PENN_ACTIONS
from tests.models.datasets import made_h36m, made_lsp, made_penn
from tests.models.evaluation.made_answers import made_target

POSES = [np.zeros((1, 16, 2))]


def wanted(dataset: str, data: Path, boxes: str | None = None, views: str = "single") -> Wanted:
    return Wanted(dataset, "made", data, "onnx", None, views, boxes, "cross-subject", Path(), Path(), 8)


def test_the_joints_box_of_lsp_has_the_models_margin(tmp_path: Path) -> None:
    made_lsp.make(tmp_path, people=2)
    target = made_target(PA16, POSES)
    windows = {}
    for boxes in (None, "image", "annotated"):
        dataset, _ = protocol_of_crops(wanted("lsp", tmp_path, boxes), target)
        windows[boxes] = dataset[0].window
    assert windows[None] == windows["image"]
    points = dataset[0].keypoints_px
    assert windows["annotated"].width == pytest.approx(1.25 * np.ptp(points, axis=0).max())
    with pytest.raises(EvaluationProblem, match=r"annotated or image, not boxes\.json"):
        protocol_of_crops(wanted("lsp", tmp_path, "boxes.json"), target)


def test_five_crops_with_their_mirrors_are_asked_for(tmp_path: Path) -> None:
    made_lsp.make(tmp_path, people=2)
    for views, crops in (("single", 1), ("multi", 10)):
        dataset, protocol = protocol_of_crops(wanted("lsp", tmp_path, views=views), made_target(PA16, POSES))
        assert len(protocol.inputs(dataset[0])) == crops
        assert protocol.settings["views"] == views


def test_2d_poses_are_not_evaluated_on_human36m(tmp_path: Path) -> None:
    made_h36m.make(tmp_path)
    with pytest.raises(EvaluationProblem, match="made finds 2D poses only"):
        protocol_of_crops(wanted("h36m", tmp_path), made_target(PA16, POSES))


def test_actions_in_another_order_are_of_another_model(tmp_path: Path) -> None:
    made_penn.make(tmp_path, train=1, test=1, frames=20)
    scores = [np.ones((1, len(PENN_ACTIONS)))]
    spelt = ("baseball pitch", *PENN_ACTIONS[1:])
    protocol_of_crops(wanted("penn", tmp_path), made_target(PA16, POSES, scores, spelt, clip_frames=8))
    with pytest.raises(EvaluationProblem, match="made knows 15 other actions"):
        protocol_of_crops(wanted("penn", tmp_path), made_target(PA16, POSES, scores, PENN_ACTIONS[::-1], clip_frames=8))
