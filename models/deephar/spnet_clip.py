"""The clip's part of SPNet: action blocks over the features of all frames."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.deephar.action_features import unpack
from models.deephar.layers import BatchNorm, Conv, global_max_min, max_min_pool, upsample
from models.deephar.spnet_config import SPNetConfig
from models.deephar.spnet_layers import Bottleneck, Residual


class ActionHead(nn.Module):
    """Features (B, C, T, K) to maps of actions and, with these re-injected, the next block's features."""

    def __init__(self, width: int, actions: int, last: bool) -> None:
        super().__init__()
        self.bn1 = BatchNorm(width)
        self.conv1 = Conv(width, width, (3, 3))
        self.bn2 = BatchNorm(width)
        self.conv2h0 = Conv(width, actions, (3, 3))
        self.conv3 = None if last else Conv(actions, width, (3, 3))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        inner = self.conv1(self.bn1(x).relu())
        maps = self.conv2h0(self.bn2(max_min_pool(inner)).relu())
        return maps, x + inner + self.conv3(upsample(maps).relu()) if self.conv3 else x


class ClipAction(nn.Module):
    """The clip's part of an action block: fuses poses, visual features and the block before."""

    def __init__(self, config: SPNetConfig, first: bool, last: bool) -> None:
        super().__init__()
        width, dims = config.action_features, config.dims
        self.action_p_conv0a = Conv(dims, width // 16, (3, 1))
        self.action_p_conv0b = Conv(dims, width // 8, (3, 3))
        self.action_p_conv0c = Conv(dims, width // 4, (3, 5))
        self.action_r1 = Bottleneck(width // 16 + width // 8 + width // 4, width // 2, width)
        self.action_r2 = Bottleneck((2 if first else 3) * width, width // 4, width)
        self.action_pred = ActionHead(width, config.actions, last)

    def forward(self, poses: Tensor, visual: Tensor, before: Tensor | None) -> tuple[Tensor, Tensor]:
        """Poses (B, D, T, K), visual features (B, V, T, K) and the block before's to maps and (B, C, T, K / 2)."""
        x = torch.cat([self.action_p_conv0a(poses), self.action_p_conv0b(poses), self.action_p_conv0c(poses)], dim=1)
        parts = [_pool_joints(self.action_r1(x)), _pool_joints(visual)]
        return self.action_pred(self.action_r2(torch.cat(parts if before is None else [*parts, before], dim=1)))


def _pool_joints(x: Tensor) -> Tensor:
    """Max pooling over neighbours in time and joints: (B, C, T, K) to (B, C, T, K' / 2).

    As in the original, joints are padded with zeros to the next multiple of four: 17 to 20, one of them on the left.
    """
    missing = -x.shape[3] % 4
    if missing:
        x = F.pad(x, (missing // 2, missing - missing // 2))
    later = torch.cat([x[:, :, 1:], x[:, :, -1:]], dim=2)
    return F.max_pool2d(torch.maximum(x, later), (1, 2))


class SPNetClip(nn.Module):
    """Actions from action features (B, T, F)."""

    def __init__(self, config: SPNetConfig) -> None:
        super().__init__()
        self.config = config
        places = config.action_places
        for number, place in enumerate(places, 1):
            self.add_module(f"act{number}", ClipAction(config, number == 1, place == places[-1]))
            if number > 1:
                if place.pyramid_name not in self._modules:
                    self.add_module(place.pyramid_name, nn.ModuleDict())
                unit = nn.ModuleDict({"action_r0": Residual(config.action_features, config.action_features, 3)})
                self.get_submodule(place.pyramid_name)[place.unit_name] = unit

    def all_scores(self, features: Tensor) -> list[Tensor]:
        """The scores (B, A) of each action block; the last ones are the network's result."""
        lateral: dict[int, Tensor] = {}
        before: Tensor | None = None
        scores = []
        for number, (place, part) in enumerate(
            zip(self.config.action_places, features.split(self.config.features_per_block, dim=2), strict=True), 1
        ):
            if before is not None:
                before = self.get_submodule(place.pyramid_name)[place.unit_name]["action_r0"](before)
                before = before + lateral[place.level] if place.level in lateral else before
            poses, visual = unpack(part, self.config.joints, self.config.dims)
            maps, before = self.get_submodule(f"act{number}")(poses, visual, before)
            lateral[place.level] = before
            scores.append(global_max_min(maps).softmax(dim=-1))
        return scores

    def forward(self, features: Tensor) -> Tensor:
        return self.all_scores(features)[-1]
