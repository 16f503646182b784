"""The losses against the original's numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.training import losses

GOLDEN = np.load(Path(__file__).parents[2] / "golden" / "functions" / "losses.npz")
VISIBILITY_WEIGHT = 0.01


@pytest.mark.parametrize("run", ["image", "clip"])
@pytest.mark.parametrize("kind", ["l1", "l2", "l1l2", "l1l2bincross"])
def test_pose_losses_are_the_originals(kind: losses.PoseLoss, run: str) -> None:
    truth, predicted = (torch.from_numpy(GOLDEN[f"{run}_in_{name}"]) for name in ("true", "pred"))
    pose = losses.pose_loss(kind, predicted[..., :-1], truth[..., :-1])
    seen = losses.visibility_loss(predicted[..., -1], truth[..., -1])
    ours = pose + VISIBILITY_WEIGHT * seen
    ours = ours.mean(-1) if run == "clip" else ours
    np.testing.assert_allclose(ours.numpy(), GOLDEN[f"{run}_out_{kind}"], rtol=5e-6)


@pytest.mark.parametrize("run", ["image", "clip"])
def test_the_elastic_net_of_cvpr18_is_the_originals(run: str) -> None:
    truth, predicted = (torch.from_numpy(GOLDEN[f"{run}_in_{name}"]) for name in ("true", "pred"))
    ours = losses.pose_loss("cvpr_elasticnet", predicted[..., :-1], truth[..., :-1])
    np.testing.assert_allclose(ours.numpy(), GOLDEN[f"{run}_out_cvpr_elasticnet"], rtol=5e-6)


@pytest.mark.parametrize("kind", ["l1l2bincross", "cvpr_elasticnet"])
def test_what_is_not_known_has_no_gradient(kind: losses.PoseLoss) -> None:
    predicted = torch.tensor([[[0.5, 0.0], [1.0, 0.3]]], requires_grad=True)
    truth = torch.tensor([[[0.4, 0.7], [losses.UNKNOWN, losses.UNKNOWN]]])
    losses.pose_loss(kind, predicted, truth).sum().backward()
    assert predicted.grad is not None
    assert predicted.grad.isfinite().all()
    assert (predicted.grad[0, 0] != 0).any()
    assert (predicted.grad[0, 1] == 0).all()


def test_a_joint_that_a_data_set_does_not_have_is_neither_visible_nor_hidden() -> None:
    predicted = torch.tensor([[0.9, 0.2, 0.7]])
    both = losses.visibility_loss(predicted, torch.tensor([[1.0, 0.0, -1.0]]))
    assert both.item() == pytest.approx(-(np.log(0.9) + np.log(0.8)) / 2, rel=1e-6)


def test_the_loss_of_actions_is_the_mean_of_the_true_ones_logarithm() -> None:
    scores = torch.tensor([[0.7, 0.2, 0.1], [0.0, 0.5, 0.5]])
    found = losses.action_loss(scores, torch.tensor([0, 0]))
    np.testing.assert_allclose(found.numpy(), [-np.log(0.7), -np.log(1e-7)], rtol=1e-5)
