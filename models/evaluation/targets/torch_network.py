"""The target `torch`: imported weights on this machine, with the outputs of every block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.datasets.samples import Pixels
from models.deephar.merged import MergedActionNet, MergedClip, MergedFrame
from models.deephar.networks import IMAGE_SIZE, NETWORKS
from models.deephar.pixels import to_network_range
from models.deephar.reception import ReceptionNet
from models.deephar.served import served_parts
from models.deephar.spnet import SPNet
from models.deephar.spnet_clip import SPNetClip
from models.evaluation.targets.model_card import ModelCard
from models.evaluation.targets.network_target import FrameBatch, NetworkTarget
from models.evaluation.targets.outputs import Floats
from models.evaluation.targets.problem import TargetProblem
from models.weights.store import WrongWeights, read_imported
from service.vision.layouts import LAYOUTS

AGGREGATED = "merged"  # the block of actions that joins those by pose and by appearance


def open_torch(model: str, cache: Path, batch: int = 8) -> NetworkTarget:
    """Imported weights as a target, on the GPU where there is one.

    Raises:
        TargetProblem: The weights are not imported, or there is no such network or cut.
    """
    name, _, cut = model.partition("@")
    if name not in NETWORKS:
        raise TargetProblem(f"torch has no network {name}, but {', '.join(NETWORKS)}; try --target onnx for {model}")
    all_blocks = NETWORKS[name].all_blocks
    if cut and not (cut.isdecimal() and 1 <= int(cut) <= all_blocks):
        raise TargetProblem(f"{model}: {name} has {all_blocks} prediction blocks; cut it as {name}@{all_blocks - 1}")
    try:
        network, about = read_imported(name, cache, int(cut) if cut else None)
    except FileNotFoundError:
        raise TargetProblem(
            f"the weights of {name} are not imported: deephar-models weights pull {name}; "
            f"deephar-models weights import {name}"
        ) from None
    except WrongWeights as error:
        raise TargetProblem(str(error)) from None
    return torch_target(model, network, about.sha256, batch)


def torch_target(model: str, network: nn.Module, sha256: str, batch: int = 8) -> NetworkTarget:
    """A network in memory as a target.

    Args:
        model: Its name, which says what it is by its part before "@".
        network: In evaluation mode.
        sha256: Of what its weights came from.
        batch: Crops that are computed at a time.
    """
    _, clip = served_parts(network)
    about = NETWORKS[model.partition("@")[0]]
    known = about.clip if clip is not None else None
    card = ModelCard(
        model=model,
        joints=LAYOUTS[about.layout].joints,
        dims=about.dims,
        size=IMAGE_SIZE,
        margin=about.margin,
        clip_frames=known.frames if known else 0,
        interval_s=known.interval_s if known else 0.0,
        labels=known.labels if known else (),
        weights_sha256=sha256,
    )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    software = {"torch": f"{torch.__version__} on {device}"}
    networks = TorchNetworks(network, device)
    blocks, action_blocks = block_names(network)
    return NetworkTarget("torch", networks, card, blocks, action_blocks, sha256, software, batch)


def block_names(network: nn.Module) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of a network's blocks of poses and of actions."""
    match network:
        case ReceptionNet():
            return tuple(f"block{number}" for number in range(1, network.config.blocks + 1)), ()
        case SPNet():
            config = network.frame.config
            every, with_actions = (
                tuple(f"{place.pyramid_name}.{place.block_name}" for place in places)
                for places in (config.places, config.action_places)
            )
            return every, with_actions
        case MergedActionNet():
            blocks = range(1, len(network.clip.pose.blocks) + 1)
            by = tuple(f"{kind}{number}" for kind in ("pose", "appearance") for number in blocks)
            return (f"block{network.frame.config.pose.blocks}",), (*by, AGGREGATED)
    raise TypeError(f"{type(network).__name__} has no blocks that are known")


class TorchNetworks:
    """The `Networks` of a torch network, with all of its blocks."""

    def __init__(self, network: nn.Module, device: str) -> None:
        _, clip = served_parts(network)
        self._frame = (network if isinstance(network, ReceptionNet) else network.frame).to(device)
        self._clip = clip.to(device) if clip is not None else None
        self._device = device

    def frames(self, batches: Iterable[Sequence[Pixels]]) -> Iterator[FrameBatch]:
        for crops in batches:
            yield self._frames(torch.from_numpy(np.stack(crops)))

    @torch.inference_mode()
    def _frames(self, crops: Tensor) -> FrameBatch:
        output = self._frame(to_network_range(crops.to(self._device)))
        features = None if isinstance(self._frame, ReceptionNet) else output.features
        if isinstance(self._frame, ReceptionNet):
            blocks = output
        elif isinstance(self._frame, MergedFrame):
            blocks = [(output.pose, output.visibility)]
        else:
            blocks = list(zip(output.poses, output.confidences, strict=True))
        return FrameBatch(
            _stacked([pose for pose, _ in blocks]),
            _stacked([score[..., 0] for _, score in blocks]),
            features.cpu().numpy() if features is not None else None,
        )

    def clips(self, batches: Iterable[Floats]) -> Iterator[Floats]:
        for features in batches:
            yield self._clips(torch.from_numpy(features))

    @torch.inference_mode()
    def _clips(self, features: Tensor) -> Floats:
        if isinstance(self._clip, MergedClip):
            scores = self._clip.all_scores(features.to(self._device))
            return _stacked([*scores.pose, *scores.visual, scores.merged])
        assert isinstance(self._clip, SPNetClip)  # the target asks for actions where there are some
        return _stacked(self._clip.all_scores(features.to(self._device)))

    def close(self) -> None:
        del self._frame, self._clip


def _stacked(blocks: Sequence[Tensor]) -> Floats:
    """The outputs (B, ...) of N blocks as (B, N, ...)."""
    stacked: Floats = torch.stack(list(blocks), dim=1).cpu().numpy()
    return stacked
