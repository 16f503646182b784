"""Makes a model repository of deephar's networks with made weights, by the commands that a user has.

    .venv-models/bin/python -m tests.models.made_repository FOLDER [NAME ...]

Beside `lite`, the networks that are named or, without a name, all six and two that are cut: one that still knows
actions and one that does not. `expected/` has what torch says of some pictures, for tests of what is served.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import nn

from models import cli
from models.deephar.networks import NETWORKS
from models.deephar.pixels import to_network_range
from models.deephar.reception import ReceptionNet
from models.deephar.spnet import SPNet
from tests.models.made_weights import MODELS, inputs, made_file, made_network

COMMITTED = ("lite_frame", "lite_clip", "person")
ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = (*MODELS, "ntu@2", "penn@3")


def make(model: str, names: Sequence[str], folder: Path) -> None:
    """Exports the networks `names` of one model, whole or cut."""
    torch.set_num_threads(1)
    os.environ["DEEPHAR_CACHE"] = str(folder / "cache")
    file = made_file(model, folder)
    _command("weights", "import", model, str(file), "--unchecked")
    for name in names:
        blocks = _blocks(name)
        if blocks is None or knows_actions(name):
            expect(name, folder)
        _command("export", model, "--repository", str(folder / "repository"), *(["--blocks", blocks] if blocks else []))
    file.unlink()


def knows_actions(name: str) -> bool:
    """Whether a cut SPNet has a block of actions left."""
    model, _, blocks = name.partition("@")
    network = NETWORKS[model].build(int(blocks))
    return isinstance(network, SPNet) and bool(network.frame.config.action_places)


def expect(name: str, folder: Path) -> None:
    """Pictures (N, 256, 256, 3), one clip for networks of clips, and what the network finds in them."""
    model = name.partition("@")[0]
    network = _cut(made_network(model, folder), name)
    pixels = ((inputs(model)["a"].flatten(0, -4) + 1) * 127.5).round().to(torch.uint8).movedim(1, -1).contiguous()
    with torch.inference_mode():
        found = network(to_network_range(pixels)[None] if NETWORKS[model].clip else to_network_range(pixels))
    if isinstance(network, ReceptionNet):
        known = {"keypoints": found[-1][0], "keypoint_scores": found[-1][1].squeeze(-1)}
    elif model.endswith("cvpr18"):
        frames, scores = found
        known = {"keypoints": frames.pose, "keypoint_scores": frames.visibility.squeeze(-1)}
        known["action_scores"] = scores.merged
    else:
        frames, every = found
        known = {"keypoints": frames.poses[-1], "keypoint_scores": frames.confidences[-1].squeeze(-1)}
        known["action_scores"] = every[-1]
    target = folder / "expected" / f"{name}.npz"
    target.parent.mkdir(exist_ok=True)
    np.savez(target, pictures=pixels.numpy(), **{name: value.numpy() for name, value in known.items()})


def _blocks(name: str) -> str | None:
    return name.partition("@")[2] or None


def _cut(whole: nn.Module, name: str) -> nn.Module:
    model, _, blocks = name.partition("@")
    if not blocks:
        return whole
    cut = NETWORKS[model].build(int(blocks)).eval()
    cut.load_state_dict(whole.state_dict(), strict=False)
    return cut


def _command(*arguments: str) -> None:
    status = cli.main(arguments)
    if status:
        sys.exit(f"deephar-models {' '.join(arguments)} ended with {status}")


def main(folder: Path, names: Sequence[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for part in COMMITTED:  # and nothing that was exported there
        shutil.copytree(ROOT / "model_repository" / part, folder / "repository" / part)
    of_model: dict[str, list[str]] = {}
    for name in names:
        of_model.setdefault(name.partition("@")[0], []).append(name)
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(make, of_model.keys(), of_model.values(), [folder] * len(of_model)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or NAMES)
