"""deephar's networks as Triton serves them: a frame network and, where it knows actions, a clip network.

Frame networks take crops (B, 256, 256, 3), uint8.
"""

from __future__ import annotations

from torch import Tensor, nn

from models.deephar.merged import MergedActionNet, MergedFrame
from models.deephar.pixels import to_network_range
from models.deephar.reception import ReceptionNet
from models.deephar.spnet import SPNet
from models.deephar.spnet_frame import SPNetFrame


class ServedPose(nn.Module):
    """A frame network without actions: keypoints (B, K, D) in 0..1 and scores (B, K) of its last block."""

    def __init__(self, network: ReceptionNet | SPNetFrame) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        output = self.network(to_network_range(image))
        if isinstance(self.network, ReceptionNet):
            pose, visibility = output[-1]
        else:
            pose, visibility = output.poses[-1], output.confidences[-1]
        return pose, visibility.squeeze(-1)


class ServedFrame(nn.Module):
    """A frame network with actions: keypoints, scores and action features (B, F)."""

    def __init__(self, network: MergedFrame | SPNetFrame) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        output = self.network(to_network_range(image))
        if isinstance(self.network, MergedFrame):
            return output.pose, output.visibility.squeeze(-1), output.features
        return output.poses[-1], output.confidences[-1].squeeze(-1), output.features


def served_parts(network: nn.Module) -> tuple[nn.Module, nn.Module | None]:
    """The frame network and, where the network knows actions, the clip network.

    Raises:
        TypeError: This is none of deephar's networks.
    """
    match network:
        case ReceptionNet():
            return ServedPose(network), None
        case SPNet() if not network.frame.config.action_places:
            return ServedPose(network.frame), None
        case SPNet() | MergedActionNet():
            return ServedFrame(network.frame), network.clip
    raise TypeError(f"{type(network).__name__} cannot be served")
