"""The six networks against the original's numbers, with weights made by rule and read by the real importer."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from models.deephar.networks import NETWORKS
from models.deephar.reception import ReceptionNet
from models.deephar.spnet import SPNet
from tests.golden import make_weights
from tests.models.made_weights import (
    ACTION_MODELS,
    GOLDEN,
    MODELS,
    NAMES,
    description,
    inputs,
    made_network,
)
from tests.models.probes import first_difference

TOLERANCE = 1e-5  # the original in float64 differs from itself in float32 by 1.3e-6


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("made")


def outputs(network: torch.nn.Module, run: torch.Tensor) -> dict[str, torch.Tensor]:
    """Everything that the original gives, by the golden data's names."""
    with torch.inference_mode():
        found = network(run)
        if isinstance(network, ReceptionNet):
            pairs = [(("pose", pose), ("visibility", seen)) for pose, seen in found]
            return {f"block{i}_{name}": value for i, pair in enumerate(pairs, 1) for name, value in pair}
        frames, scores = found
        if isinstance(network, SPNet):
            named = {}
            for place, pose, confidence in zip(
                network.frame.config.places, frames.poses, frames.confidences, strict=True
            ):
                both = torch.cat([pose, confidence], dim=-1)
                named[f"{place.pyramid_name}_{place.block_name}"] = both.unflatten(0, run.shape[:2])
            return named | {f"act{i}_ac_a0": score for i, score in enumerate(scores, 1)}
        named = {f"p{i}": score for i, score in enumerate(scores.pose, 1)}
        named |= {f"v{i}": score for i, score in enumerate(scores.visual, 1)}
        extra = {"extra_pose": frames.pose, "extra_visibility": frames.weight}
        return named | {"m": scores.merged} | {n: v.unflatten(0, run.shape[:2]) for n, v in extra.items()}


@pytest.mark.parametrize("model", MODELS)
def test_every_output_of_every_block_is_the_originals(model: str, weights: Path) -> None:
    network = made_network(model, weights)
    golden = np.load(GOLDEN / "outputs" / f"{NAMES[model]}.npz")
    compared = set()
    for run, values in inputs(model).items():
        for name, ours in outputs(network, values).items():
            difference = np.abs(ours.numpy() - golden[f"{run}/{name}"]).max()
            if not difference <= TOLERANCE:
                pytest.fail(
                    f"{name} of run {run} differs by {difference:.1e}; "
                    f"the first layer that differs: {first_difference(model, network) or '(none of the probed)'}"
                )
            compared.add(f"{run}/{name}")
    assert compared == set(golden.files)


@pytest.mark.parametrize("model", MODELS)
def test_inputs_and_weights_are_those_of_the_golden_data(model: str, weights: Path) -> None:
    spec = json.loads((GOLDEN / "spec" / f"{NAMES[model]}.json").read_text())
    assert make_weights.weights_digest(spec) == spec["weights_sha256"]
    for run, values in make_weights.make_inputs(description(model)).items():
        (said,) = (r["input_sha256"] for r in description(model)["runs"] if r["name"] == run)
        assert hashlib.sha256(values.tobytes()).hexdigest() == said


@pytest.mark.networks
@pytest.mark.parametrize(
    ("model", "path", "layer"),
    [
        ("mpii", "blocks.2.reception.l2_3.bn.bias", "rBlock3"),
        ("penn-cvpr18", "clip.visual.blocks.1.conv.bn.bias", "GuidedVisAR[1]"),
        ("ntu", "frame.dp1.pb2.depthmaps.conv1.weight", "dp1_pb2_depthmaps_conv1"),
        ("ntu", "clip.act3.action_r2.conv2.weight", "act3_action_r2_conv2"),
    ],
)
def test_the_probes_name_the_first_layer_that_differs(model: str, path: str, layer: str, weights: Path) -> None:
    network = made_network(model, weights)
    assert first_difference(model, network) == ""
    with torch.no_grad():
        network.get_parameter(path).mul_(1.5)
    assert first_difference(model, network) == layer


@pytest.mark.networks
@pytest.mark.parametrize("model", ACTION_MODELS)
def test_frame_and_clip_network_one_after_the_other_are_the_whole_network(model: str, weights: Path) -> None:
    """The split lets a stream compute each frame once, alone, and never again."""
    network = made_network(model, weights)
    golden = np.load(GOLDEN / "outputs" / f"{NAMES[model]}.npz")
    result = "m" if model.endswith("cvpr18") else "act6_ac_a0"
    with torch.inference_mode():
        one_by_one = [network.frame(frame[None]).features for frame in inputs(model)["a"][0]]
        scores = network.clip(torch.stack(one_by_one, dim=1))
    assert np.abs(scores.numpy() - golden[f"a/{result}"]).max() <= TOLERANCE


@pytest.mark.networks
@pytest.mark.parametrize(("model", "blocks", "action_block"), [("ntu", 2, 2), ("penn", 14, 2)])
def test_a_cut_networks_actions_are_those_of_its_last_action_block(
    model: str, blocks: int, action_block: int, weights: Path
) -> None:
    whole, cut = made_network(model, weights), NETWORKS[model].build(blocks).eval()
    assert not cut.load_state_dict(whole.state_dict(), strict=False).missing_keys
    golden = np.load(GOLDEN / "outputs" / f"{NAMES[model]}.npz")
    with torch.inference_mode():
        found, scores = cut(inputs(model)["a"])
    assert len(found.poses) == blocks
    assert np.abs(scores[-1].numpy() - golden[f"a/act{action_block}_ac_a0"]).max() <= TOLERANCE
