from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.lite.clip.network import MIRROR, NUM_ACTIONS, ClipNetwork, ServedClip
from models.lite.frame.network import FrameNetwork, ServedFrame, far, likeliest_position, soft_argmax
from models.lite.frame.train import gaussian_maps, jensen_shannon
from models.lite.layout import FEATURES_PER_FRAME, NUM_FRAMES, NUM_JOINTS
from models.lite.lift.network import LiftNetwork, ServedLift


@given(st.integers(0, 7), st.integers(0, 5))
def test_soft_argmax_of_one_peak_is_its_cell(column: int, row: int) -> None:
    logits = torch.zeros(1, 1, 6, 8)
    logits[0, 0, row, column] = 50
    maps, points = soft_argmax(logits)
    assert maps.sum() == pytest.approx(1, abs=1e-5)
    assert points[0, 0].tolist() == pytest.approx([(column + 0.5) / 8, (row + 0.5) / 6], abs=1e-4)


def test_of_two_peaks_one_is_chosen_and_not_the_place_between() -> None:
    peaks = [gaussian_maps(torch.tensor([[place]]), 32, 1.3) for place in ([0.2, 0.3], [0.8, 0.7])]
    maps = 0.6 * peaks[0] + 0.4 * peaks[1]
    assert likeliest_position(maps)[0, 0].tolist() == pytest.approx([0.2, 0.3], abs=0.06)


@settings(max_examples=20)
@given(st.floats(0.15, 0.85), st.floats(0.15, 0.85))
def test_a_gaussian_map_has_its_mean_at_the_joint(x: float, y: float) -> None:
    maps = gaussian_maps(torch.tensor([[[x, y]]]), 32, 1.3)
    _, points = soft_argmax(torch.log(maps))
    assert points[0, 0].tolist() == pytest.approx([x, y], abs=2e-3)
    assert likeliest_position(maps)[0, 0].tolist() == pytest.approx([x, y], abs=5e-3)


def test_the_divergence_is_zero_for_equal_maps_and_bounded() -> None:
    one = gaussian_maps(torch.tensor([[[0.2, 0.2]]]), 16, 1.0)
    other = gaussian_maps(torch.tensor([[[0.8, 0.8]]]), 16, 1.0)
    assert jensen_shannon(one, one).item() == pytest.approx(0, abs=1e-5)
    assert jensen_shannon(one, other).item() == pytest.approx(0.6931, abs=1e-3)
    assert jensen_shannon(one, other).item() == pytest.approx(jensen_shannon(other, one).item(), abs=1e-6)


@pytest.mark.parametrize("size", [64, 160, 192])
def test_the_frame_network_works_at_every_size(size: int) -> None:
    prediction = FrameNetwork().eval()(torch.zeros(2, 3, size, size))
    assert prediction.heatmaps.shape == (2, NUM_JOINTS, size // 4, size // 4)
    assert prediction.coarse.shape == prediction.keypoints.shape == (2, NUM_JOINTS, 2)
    assert prediction.score_logits.shape == (2, NUM_JOINTS)


@settings(max_examples=20)
@given(st.floats(0.1, 0.9), st.floats(0.1, 0.9))
def test_belief_falls_with_the_distance_from_where_a_joint_should_be(x: float, y: float) -> None:
    distance = far(torch.tensor([[[x, y]]]), 48)
    row, column = divmod(int(distance.argmin()), 48)
    assert [(column + 0.5) / 48, (row + 0.5) / 48] == pytest.approx([x, y], abs=0.5 / 48 + 1e-6)
    assert distance.min() < 0.1
    assert (distance[0, 0, row].diff().sign().diff() >= 0).all()  # it rises to both sides


def test_the_served_frame_takes_pixels_and_packs_its_features() -> None:
    served = ServedFrame(FrameNetwork(), ServedLift(LiftNetwork())).eval()
    keypoints, scores, features = served(torch.randint(0, 256, (3, 128, 128, 3), dtype=torch.uint8))
    assert features.shape == (3, FEATURES_PER_FRAME)
    assert keypoints.shape == (3, NUM_JOINTS, 3)
    assert torch.equal(features[:, :32], keypoints[..., :2].flatten(1))
    assert torch.equal(features[:, 32:], scores)
    assert ((keypoints >= 0) & (keypoints <= 1)).all()
    assert ((scores >= 0) & (scores <= 1)).all()


def clip_input(batch: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    features = torch.rand(batch, NUM_FRAMES, FEATURES_PER_FRAME, generator=generator)
    boxes = torch.tensor([40.0, 30.0, 200.0, 200.0]).expand(batch, NUM_FRAMES, 4).clone()
    return features, boxes


def test_the_clip_network_sees_through_a_moving_crop() -> None:
    """The same joints of the picture in other crops are the same action: a crop that follows hides nothing."""
    served = ServedClip(ClipNetwork()).eval()
    features, boxes = clip_input()
    moved_boxes, moved = boxes.clone(), features.clone()
    moved_boxes[:, :, 0] += torch.linspace(0, 90, NUM_FRAMES)
    moved_boxes[:, :, 2:] *= 1.5
    points = features[..., :32].unflatten(-1, (16, 2)) * boxes[:, :, None, 2:] + boxes[:, :, None, :2]
    moved[..., :32] = ((points - moved_boxes[:, :, None, :2]) / moved_boxes[:, :, None, 2:]).flatten(-2)
    with torch.no_grad():
        assert torch.allclose(served(features, boxes), served(moved, moved_boxes), atol=1e-3)


@pytest.mark.parametrize("kind", ["nobody", "one point", "far away", "no crop"])
def test_the_clip_network_stays_finite(kind: str) -> None:
    served = ServedClip(ClipNetwork()).eval()
    features, boxes = clip_input()
    if kind == "nobody":
        features[..., 32:] = 0
    elif kind == "one point":
        features[..., :32] = 0.5
    elif kind == "far away":
        features[..., :32] *= 1e4
    else:
        boxes[:] = 0
    with torch.no_grad():
        scores = served(features, boxes)
    assert scores.shape == (2, NUM_ACTIONS)
    assert torch.isfinite(scores).all()
    assert (scores >= 0).all()
    assert (scores.sum(-1) <= 1 + 1e-5).all()


def test_a_clip_and_its_mirror_image_get_the_same_scores() -> None:
    served = ServedClip(ClipNetwork()).eval()
    features, boxes = clip_input()
    flip = [0, 1, 2, *(3 + joint for joint in MIRROR)]
    points = features[..., :32].unflatten(-1, (16, 2))[:, :, flip] * torch.tensor([-1.0, 1.0]) + torch.tensor([1.0, 0])
    mirror_image = torch.cat((points.flatten(-2), features[..., 32:][..., flip]), dim=-1)
    with torch.no_grad():
        assert torch.allclose(served(features, boxes), served(mirror_image, boxes), atol=1e-5)
