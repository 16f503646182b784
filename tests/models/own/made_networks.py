"""Pose networks with made weights that know where the joints are: in markers of a colour for each joint.

    .venv-models/bin/python -m tests.models.own.made_networks FOLDER NAME ...

They are exported as users export theirs. `baseline` is a public architecture (ResNet-18 and three deconvolutions, of
"Simple Baselines for Human Pose Estimation", Xiao et al., ECCV'18) with random weights, which finds nobody.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from service.vision.boxes import Box
from service.vision.crops import crop, crop_window_around
from tests.models.own.markers import BOX, colours, picture

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NEAR = 0.2  # distance of a colour from that of a joint's marker, at which it is none any more
BLUR = 25
GAIN = 1.7  # a marker fills a part of the blur: scores are about 0.9


class Markers(nn.Module):
    """Maps (B, K, rows, columns) with a peak in the middle of each joint's marker, from normalised pixels."""

    def __init__(self, joints: int, bgr: bool = False, stride: int = 1, range_255: bool = False) -> None:
        super().__init__()
        marks = torch.from_numpy(colours(joints)).float() / 255
        mean, std = torch.tensor(MEAN), torch.tensor(STD)
        if range_255:
            mean, std = torch.zeros(3), torch.full((3,), 1 / 255)
        if bgr:
            marks, mean, std = marks.flip(1), mean.flip(0), std.flip(0)
        self.pixels = nn.Conv2d(3, 3, 1)  # back to 0..1
        self.pixels.weight.data = torch.diag(std)[:, :, None, None]
        self.pixels.bias.data = mean
        # 1 - |colour - mark|^2 / NEAR^2, by the colour and its square.
        self.nearness = nn.Conv2d(6, joints, 1)
        weight = torch.cat([2 * marks, -torch.ones(joints, 3)], 1) / NEAR**2
        self.nearness.weight.data = weight[:, :, None, None]
        self.nearness.bias.data = 1 - (marks**2).sum(1) / NEAR**2
        place = torch.arange(BLUR) - BLUR // 2
        bell = torch.exp(-(place**2) / (2 * 4.0**2))
        self.blur = nn.Conv2d(joints, joints, BLUR, stride, BLUR // 2, groups=joints, bias=False)
        self.blur.weight.data = GAIN * (bell[:, None] * bell / bell.sum() ** 2).repeat(joints, 1, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        pixels = self.pixels(image)
        return self.blur(self.nearness(torch.cat([pixels, pixels**2], 1)).relu())


class Heatmaps(nn.Module):
    def __init__(self, joints: int = 17, **how: bool) -> None:
        super().__init__()
        self.markers = Markers(joints, stride=4, **how)

    def forward(self, image: Tensor) -> Tensor:
        return self.markers(image)


class SimCC(nn.Module):
    """Two bins a pixel, as RTMPose has."""

    def __init__(self, joints: int = 17) -> None:
        super().__init__()
        self.markers = Markers(joints)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.markers(image)
        rows = (maps.amax(2), maps.amax(3))
        x, y = (functional.interpolate(row, scale_factor=2.0, mode="linear") for row in rows)
        return x, y


class Coordinates(nn.Module):
    """x, y in pixels or shares of the picture and a score, as if by regression."""

    def __init__(self, joints: int = 17, share: bool = False, flat: bool = False, yx: bool = False) -> None:
        super().__init__()
        self.markers, self.share, self.flat, self.yx = Markers(joints), share, flat, yx

    def forward(self, image: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        maps = self.markers(image) ** 2
        total = maps.sum((2, 3)) + 1e-6
        x = (maps.sum(2) * torch.arange(image.shape[3])).sum(2) / total
        y = (maps.sum(3) * torch.arange(image.shape[2])).sum(2) / total
        scores = maps.amax((2, 3)).sqrt()
        if self.share:
            x, y = x / image.shape[3], y / image.shape[2]
        if self.flat:
            return torch.stack([x, y], 2).flatten(1), scores
        return torch.stack([y, x, scores] if self.yx else [x, y, scores], 2)


class ChannelsLast(nn.Module):
    """Takes whole pixels (B, rows, columns, 3), as networks from TensorFlow do."""

    def __init__(self) -> None:
        super().__init__()
        self.markers = Markers(17, stride=4, range_255=True)

    def forward(self, image: Tensor) -> Tensor:
        return self.markers(image.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class Residual(nn.Module):
    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after))
        self.skip: nn.Module = nn.Identity()
        if stride > 1 or before != after:
            self.skip = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.second(self.first(x)) + self.skip(x))


class SimpleBaseline(nn.Sequential):
    """A ResNet-18 whose features are brought to a quarter of the picture by three deconvolutions."""

    def __init__(self, joints: int = 17, width: int = 16) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
        ]  # fmt: skip
        channels = width
        for stage in range(4):
            for block in range(2):
                layers.append(Residual(channels, width * 2**stage, 2 if stage and not block else 1))
                channels = width * 2**stage
        for _ in range(3):
            layers += [
                nn.ConvTranspose2d(channels, 4 * width, 4, 2, 1, bias=False),
                nn.BatchNorm2d(4 * width),
                nn.ReLU(),
            ]
            channels = 4 * width
        super().__init__(*layers, nn.Conv2d(channels, joints, 1))


MADE: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], tuple[str, ...]]] = {
    "heatmaps": (Heatmaps, (3, 256, 192), ("heatmaps",)),
    "heatmaps_bgr": (lambda: Heatmaps(bgr=True), (3, 256, 192), ("heatmaps",)),
    "heatmaps_14": (lambda: Heatmaps(14), (3, 256, 256), ("heatmaps",)),
    "simcc": (SimCC, (3, 256, 192), ("simcc_x", "simcc_y")),
    "coordinates": (Coordinates, (3, 192, 256), ("coordinates",)),
    "shares": (lambda: Coordinates(share=True, flat=True), (3, 128, 128), ("places", "certainty")),
    "shares_yx": (lambda: Coordinates(share=True, yx=True), (3, 128, 128), ("places",)),
    "channels_last": (ChannelsLast, (128, 128, 3), ("maps",)),
    "baseline": (SimpleBaseline, (3, 256, 192), ("heatmaps",)),
}


def export(name: str, file: Path, batch: str = "any", opset: int = 17) -> nn.Module:
    """Writes a network's ONNX file, by torch's older exporter, whose files most networks come in. Returns the network.

    Args:
        name: Of `MADE`.
        file: Where to.
        batch: `any`, or `one` for a file in which it is fixed to 1.
        opset: Of the operators.
    """
    torch.manual_seed(7)
    build, shape, outputs = MADE[name]
    network = build().eval()
    axes = {tensor: {0: "batch"} for tensor in ("input", *outputs)} if batch == "any" else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.rand(1, *shape),),
            file,
            input_names=["input"],
            output_names=list(outputs),
            dynamic_axes=axes,
            opset_version=opset,
            dynamo=False,
        )
    return network


def main(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        network = export(name, folder / f"{name}.onnx")
        if name == "baseline":
            image = crop(picture(17), crop_window_around(Box(*BOX), 1.25), 256)[:, 32:224].astype(np.float32) / 255
            pixels = torch.from_numpy(((image - np.array(MEAN)) / np.array(STD)).astype(np.float32)).permute(2, 0, 1)
            with torch.inference_mode():
                np.savez(folder / "baseline.npz", heatmaps=network(pixels[None])[0].numpy())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
