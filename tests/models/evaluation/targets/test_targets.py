"""Targets on this machine: torch and ONNX Runtime, what they have in common, and where they part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.deephar.merged import V1, MergedActionNet, MergedConfig
from models.deephar.reception import ReceptionConfig, ReceptionNet
from models.deephar.spnet import SPNet
from models.deephar.spnet_config import SPNetConfig
from models.evaluation.stages import ACTIONS, FEATURES, POSES, ComparedTarget
from models.evaluation.targets.onnx_network import open_onnx
from models.evaluation.targets.opening import open_target
from models.evaluation.targets.problem import TargetProblem
from models.evaluation.targets.torch_network import torch_target
from models.files.sample_picture import person_crops
from tests.models.evaluation.targets import marker_networks
from tests.models.evaluation.targets.marker_networks import FRAMES, brightness, crops

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    marker_networks.make(folder)
    marker_networks.make(folder, "boxed", boxes=True, max_batch=3)
    return folder


@pytest.mark.parametrize("count", [0, 1, 8, 21])
def test_every_crop_has_its_own_answer_in_order(repository: Path, count: int) -> None:
    target = open_onnx("marker", repository, batch=5)
    found = list(target.poses(iter(crops(count))))
    assert len(found) == count
    for output, crop in zip(found, crops(count), strict=True):
        assert output.keypoints_crop.shape == (1, 16, 2)
        np.testing.assert_allclose(output.keypoints_crop, brightness(crop), atol=1e-6)
    target.close()


@pytest.mark.parametrize("name", ["marker", "boxed"])
def test_a_clip_has_the_scores_of_its_own_frames(repository: Path, name: str) -> None:
    target = open_onnx(name, repository, batch=6)
    clips = [np.stack(crops(FRAMES, first=10 * number)) for number in range(7)]
    found = list(target.actions(iter(clips)))
    assert len(found) == len(clips)
    for output, clip in zip(found, clips, strict=True):
        assert len(output.frames) == FRAMES
        np.testing.assert_allclose([frame.scores[-1, 0] for frame in output.frames], clip.mean((1, 2, 3)) / 255, 1e-5)
        np.testing.assert_allclose(output.scores[-1, 0], clip.mean() / 255, 1e-5)


def test_crops_are_drawn_as_they_are_needed(repository: Path) -> None:
    drawn = 0

    def endless() -> Any:
        nonlocal drawn
        while True:
            drawn += 1
            yield crops(1)[0]

    answers = open_onnx("marker", repository, batch=4).poses(endless())
    for _ in range(6):
        next(answers)
    assert drawn <= 8


def test_what_is_no_crop_of_the_model_is_refused(repository: Path) -> None:
    target = open_onnx("marker", repository)
    with pytest.raises(ValueError, match="a crop is"):
        list(target.poses([np.zeros((64, 64, 3), np.uint8)]))
    with pytest.raises(ValueError, match="4 crops, not 3"):
        list(target.actions([np.stack(crops(3))]))


@pytest.mark.parametrize(
    ("kind", "model", "text"),
    [
        ("onnx", "nobody", r"has no nobody_frame; it has boxed, marker$"),
        ("onnx", "mpii", r"has no mpii_frame; it has boxed, marker\. deephar-models export mpii makes it"),
        ("onnx", "penn@14", r"has no penn@14_frame; .*\. deephar-models export penn --blocks 14 makes it"),
        ("torch", "marker", "torch has no network marker"),
        ("torch", "mpii", "deephar-models weights pull mpii"),
        ("torch", "penn@99", "penn has 18 prediction blocks"),
        ("tensorflow", "mpii", "'tensorflow' is no target"),
        ("127.0.0.1:0", "mpii", "is no target"),
        ("http://127.0.0.1:8001", "mpii", "is no target"),
    ],
)
def test_what_cannot_be_asked_says_what_to_do(
    repository: Path, tmp_path: Path, kind: str, model: str, text: str
) -> None:
    with pytest.raises(TargetProblem, match=text):
        open_target(kind, model, repository=repository, cache=tmp_path)


def test_a_missing_repository_is_named(tmp_path: Path) -> None:
    with pytest.raises(TargetProblem, match="there is no model repository"):
        open_target("onnx", "lite", repository=tmp_path / "none", cache=tmp_path)


SPNET = SPNetConfig(16, 2, 15, pyramids=2, action_pyramids=(2,), action_features=16, growth=16)
MERGED = MergedConfig(ReceptionConfig(joints=16, blocks=1), 15, V1)


def test_torch_answers_every_block() -> None:
    torch.manual_seed(0)
    network = ReceptionNet(ReceptionConfig(joints=16, blocks=2)).eval()
    target = torch_target("mpii", network, "0")
    (output,) = target.poses(person_crops([(0, 0)], 256))
    assert target.blocks == ("block1", "block2")
    assert output.keypoints_crop.shape == (2, 16, 2)
    assert output.scores.shape == (2, 16)
    assert not np.array_equal(output.keypoints_crop[0], output.keypoints_crop[1])
    with pytest.raises(TargetProblem, match="mpii knows no actions"):
        list(target.actions([]))


def test_torch_answers_every_block_of_actions_and_the_last_is_the_networks_result() -> None:
    torch.manual_seed(0)
    network = SPNet(SPNET).eval()
    target = torch_target("penn", network, "0")
    clip = person_crops([(step, 0) for step in range(8)], 256)
    (output,) = target.actions([clip])
    assert target.blocks == ("dp1.pb1", "dp1.pb2", "dp1.pb3", "up2.pb2", "up2.pb1", "up2.pb0")
    assert target.action_blocks == ("up2.pb2", "up2.pb1", "up2.pb0")
    assert output.scores.shape == (3, 15)
    with torch.inference_mode():
        _, expected = network(torch.from_numpy(clip).permute(0, 3, 1, 2)[None].float() * (2 / 255) - 1)
    np.testing.assert_allclose(output.scores, torch.cat(expected).numpy(), atol=1e-6)


def test_the_merged_networks_last_block_joins_pose_and_appearance() -> None:
    torch.manual_seed(0)
    network = MergedActionNet(MERGED).eval()
    target = torch_target("penn-cvpr18", network, "0", batch=4)
    clip = np.repeat(person_crops([(0, 0)], 256), 16, axis=0)
    (output,) = target.actions([clip])
    assert (len(target.action_blocks), target.action_blocks[-1]) == (9, "merged")
    assert output.scores.shape == (9, 15)
    assert output.frames[0].keypoints_crop.shape == (1, 16, 2)


def test_targets_that_agree_say_so_and_one_that_does_not_is_named_with_its_stage(repository: Path) -> None:
    torch.manual_seed(0)
    network, other = SPNet(SPNET).eval(), SPNet(SPNET).eval()
    other.load_state_dict(network.state_dict())
    targets = {"torch": torch_target("penn", network, "0"), "again": torch_target("penn", other, "0")}
    clip = person_crops([(step, 0) for step in range(8)], 256)

    def stage() -> str | None:
        compared = ComparedTarget(targets)
        (answer,) = compared.actions([clip])
        assert answer.scores.shape == (3, 15)  # the reference's
        (comparison,) = compared.comparisons
        assert ("agrees" in comparison.text()) == (comparison.parts_at() is None)
        return comparison.parts_at()

    assert stage() is None
    with torch.no_grad():
        other.clip.act3.action_pred.conv2h0.weight.mul_(torch.rand(15, 1, 1, 1))
    assert stage() == ACTIONS
    with torch.no_grad():
        other.frame.act1.action_v_conv0.weight.mul_(2)
    assert stage() == FEATURES
    with torch.no_grad():
        other.frame.conv1.weight.mul_(2)
    assert stage() == POSES
