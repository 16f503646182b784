"""Trains a clip network for own actions: lite's with a new classifier, which learns first, then all gently."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from models.lite.clip.data import Floats
from models.lite.clip.network import ClipNetwork, ServedClip
from models.own_actions.batches import OwnBatches, Source

BATCH = 32
LABEL_SMOOTHING = 0.05
WEIGHT_DECAY = 0.05
LARGEST_GRADIENT = 5.0
EMA_DECAY = 0.98
SCORED_AT_ONCE = 256  # windows


@dataclass(frozen=True)
class Recipe:
    """How long and how fast is trained.

    Attributes:
        steps: In all.
        head_share: Of the steps, in which only the new classifier learns.
        rate: Of the classifier.
        trunk_rate: Of all else, once it learns as well.
        mirror: Whether mirrored movements are of the same action.
        seed: Of all that is drawn.
    """

    steps: int = 400
    head_share: float = 0.3
    rate: float = 2e-3
    trunk_rate: float = 1e-3
    mirror: bool = True
    seed: int = 7


def train(
    base: ClipNetwork, source: Source, actions: int, recipe: Recipe, told: Callable[[int], object] = lambda _: None
) -> ServedClip:
    """Returns a trained network as it is served.

    Args:
        base: What it starts from; it stays as it is.
        source: Clips with labels from 0; `actions` is the background class.
        actions: Their number.
        recipe: How it is trained.
        told: Called with the number of further steps done.
    """
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(1)  # the network is small: threads wait for each other longer than they save
    network = copy.deepcopy(base)
    network.classify = nn.Linear(network.classify.in_features, actions + 1)
    nn.init.zeros_(network.classify.weight)
    nn.init.zeros_(network.classify.bias)
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(EMA_DECAY))
    classifier = set(network.classify.parameters())
    trunk = [parameter for parameter in network.parameters() if parameter not in classifier]
    optimizer = torch.optim.AdamW(
        [{"params": [*classifier], "peak": recipe.rate}, {"params": trunk, "peak": recipe.trunk_rate}],
        weight_decay=WEIGHT_DECAY,
    )
    batches = OwnBatches(source, actions, recipe.mirror, BATCH, np.random.default_rng(recipe.seed))
    head_steps = round(recipe.head_share * recipe.steps)
    for step in range(recipe.steps):
        is_head = step < head_steps
        _set_modes(network, is_head)
        features, boxes, labels = (torch.from_numpy(values) for values in batches.draw())
        loss = nn.functional.cross_entropy(network(features, boxes), labels, label_smoothing=LABEL_SMOOTHING)
        fall = 0.5 * (1 + math.cos(math.pi * step / recipe.steps))
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * max(fall, 0.02)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), LARGEST_GRADIENT)
        optimizer.step()
        average.update_parameters(network)
        told(1)
    trained: ClipNetwork = average.module
    for parameter in trained.parameters():
        parameter.requires_grad_(True)
    return ServedClip(trained.eval(), background_bias=0.0, flip=recipe.mirror).eval()


def scores_of(served: ServedClip, features: Floats, boxes: Floats) -> Floats:
    """Returns the scores (W, A) of windows."""
    found = []
    with torch.no_grad():
        for start in range(0, len(features), SCORED_AT_ONCE):
            part = slice(start, start + SCORED_AT_ONCE)
            scores: Tensor = served(torch.from_numpy(features[part]), torch.from_numpy(boxes[part]))
            found.append(scores.numpy())
    whole: Floats = np.concatenate(found)
    return whole


def _set_modes(network: ClipNetwork, is_head: bool) -> None:
    """Dropout is on; statistics of normalisations stay lite's: a few clips tell less than Penn Action's thousands."""
    network.train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.eval()
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name.startswith("classify.") or not is_head)
