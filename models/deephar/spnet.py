"""SPNet: the multi-task network of deephar's TPAMI'20 paper, 2D and 3D.

After an entry flow come pyramids that go down and up through the scales by turns. At every scale a prediction block
refines the pose; in the action pyramids an action block also predicts the action, from poses and visual features of
all frames.

`SPNetFrame` is what one frame needs, `SPNetClip` the rest; together they compute the same numbers as the whole network.
A module's path is the layer's name in the released files: `dp1.pb1.heatmaps.conv1` is `dp1_pb1_heatmaps_conv1`.
"""

from __future__ import annotations

from torch import Tensor, nn

from models.deephar.spnet_clip import SPNetClip
from models.deephar.spnet_config import SPNetConfig
from models.deephar.spnet_frame import FrameOutput, SPNetFrame


class SPNet(nn.Module):
    """The whole network, on clips (B, T, 3, 256, 256) in -1..1."""

    def __init__(self, config: SPNetConfig) -> None:
        super().__init__()
        self.frame, self.clip = SPNetFrame(config), SPNetClip(config)

    def forward(self, clip: Tensor) -> tuple[FrameOutput, list[Tensor]]:
        found = self.frame(clip.flatten(0, 1))
        return found, self.clip.all_scores(found.features.unflatten(0, clip.shape[:2]))
