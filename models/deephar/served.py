"""deephar's networks as the service runs them: pixels in, the tensors of the frame and the clip network out.

The frame network takes UINT8 crops (B, 256, 256, 3) and brings them to -1..1 itself.
"""

from __future__ import annotations

from torch import Tensor, nn

from models.deephar.merged import MergedActionNet, MergedFrame
from models.deephar.pixels import to_network_range
from models.deephar.reception import ReceptionNet
from models.deephar.spnet import SPNet
from models.deephar.spnet_frame import SPNetFrame


class ServedPose(nn.Module):
    """A pose network: keypoints (B, K, D) and keypoint scores (B, K) of its last block."""

    def __init__(self, network: ReceptionNet | SPNetFrame) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        found = self.network(to_network_range(image))
        if isinstance(self.network, ReceptionNet):
            pose, visibility = found[-1]
        else:
            pose, visibility = found.poses[-1], found.confidences[-1]
        return pose, visibility.squeeze(-1)


class ServedFrame(nn.Module):
    """The frame network of an action network: as above, and action features (B, F)."""

    def __init__(self, network: MergedFrame | SPNetFrame) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        found = self.network(to_network_range(image))
        if isinstance(self.network, MergedFrame):
            return found.pose, found.visibility.squeeze(-1), found.features
        return found.poses[-1], found.confidences[-1].squeeze(-1), found.features


def served_parts(network: nn.Module) -> tuple[nn.Module, nn.Module | None]:
    """The frame network and, where the network knows actions, the clip network."""
    match network:
        case ReceptionNet():
            return ServedPose(network), None
        case SPNet() if not network.frame.config.action_places:
            return ServedPose(network.frame), None
        case SPNet() | MergedActionNet():
            return ServedFrame(network.frame), network.clip
    raise TypeError(f"{type(network).__name__} cannot be served")
