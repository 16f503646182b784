"""The figure of a validation split after an epoch: PCKh of MPII, MPJPE of Human3.6M, of the last prediction block.

One crop of a person and no mirrored one; `deephar-models evaluate` has the papers' protocols.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader

from models.datasets.catalogue import open_split
from models.datasets.samples import Dataset, Person
from models.deephar.networks import IMAGE_SIZE
from models.deephar.served import served_parts
from models.evaluation.metrics.mpjpe import mpjpe
from models.evaluation.metrics.pck import pckh
from models.protocol.camera import DEPTH_RANGE_MM
from models.protocol.crop import CropPlan, cut, plan_crop, to_image_px
from models.protocol.joints import Joints, indices
from models.training.distributed import Process
from models.training.stopping import outlast_signals

Floats = NDArray[np.float64]

SPLIT = "val"
BATCH = 16


class _Crops(torch.utils.data.Dataset[tuple[int, NDArray[np.uint8]]]):
    """The crops of some people."""

    def __init__(self, people: Dataset[Any], chosen: range) -> None:
        self._people, self._chosen = people, chosen

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, place: int) -> tuple[int, NDArray[np.uint8]]:
        person = self._people[self._chosen[place]]
        return self._chosen[place], cut(person.read(), _plan(person))


class PoseValidation:
    """Poses of a validation split."""

    def __init__(self, people: Dataset[Any], joints: Joints, workers: int = 0) -> None:
        """A validation.

        Args:
            people: The split `val` of MPII or Human3.6M.
            joints: The network's.
            workers: Processes that read pictures.
        """
        self._people, self._joints, self._workers = people, joints, workers
        self.figure = "pckh" if people.name == "mpii" else "mpjpe_mm"
        self.larger_is_better = people.name == "mpii"

    @torch.inference_mode()
    def __call__(self, network: nn.Module, process: Process) -> dict[str, float]:
        """The figure. Each process reads its share of the people."""
        frame, _ = served_parts(network)
        mine = range(process.rank, len(self._people), process.world)
        found: dict[int, Floats] = {}
        crops_of = DataLoader(
            _Crops(self._people, mine), BATCH, num_workers=self._workers, worker_init_fn=outlast_signals
        )
        for numbers, crops in crops_of:
            keypoints: Tensor = frame(crops.to(process.device))[0]
            found |= dict(zip(numbers.tolist(), keypoints.double().cpu().numpy(), strict=True))
        everybody = {number: pose for part in process.gathered(found) for number, pose in part.items()}
        people = [self._people[number] for number in sorted(everybody)]
        poses = [everybody[number] for number in sorted(everybody)]
        measure = self._pckh if self.figure == "pckh" else self._mpjpe
        return {self.figure: float(f"{measure(people, poses):.6g}")}

    def _pckh(self, people: list[Any], poses: list[Floats]) -> float:
        predicted = np.stack([to_image_px(_plan(one).affine, pose) for one, pose in zip(people, poses, strict=True)])
        joints = [joint for joint in self._joints if joint in people[0].joints]
        predicted = predicted[:, indices(self._joints, joints)]
        truth = np.stack([one.keypoints_px[indices(one.joints, joints)] for one in people])
        heads = [one.head_size_px for one in people]
        return pckh(predicted, truth, heads, np.isfinite(truth).all(-1), joints=joints).mean

    def _mpjpe(self, people: list[Any], poses: list[Floats]) -> float:
        joints = [joint for joint in self._joints if joint in people[0].joints]
        mine, theirs = indices(self._joints, joints), indices(people[0].joints, joints)
        root = joints.index("pelvis")
        predicted = []
        for one, pose in zip(people, poses, strict=True):
            depth_mm = (pose[:, 2:] - 0.5) * DEPTH_RANGE_MM + one.uvz[theirs[root], 2]
            uvz = np.concatenate([to_image_px(_plan(one).affine, pose), depth_mm], axis=-1)
            predicted.append(one.camera.to_world_mm(uvz[mine]))
        truth = [one.world_mm[theirs] for one in people]
        return mpjpe(np.stack(predicted), np.stack(truth), leave_out_root=True, root=root).mean


def validation_of(data: Mapping[str, Path], joints: Joints, dims: int, workers: int = 0) -> PoseValidation | None:
    """The validation for a network, where the data has a split for it.

    Args:
        data: The folders by data set.
        joints: The network's.
        dims: 2 or 3, the network's.
        workers: Processes that read pictures.

    Raises:
        DataProblem: Files of the split are missing.
    """
    name = "h36m" if dims == 3 else "mpii"
    return PoseValidation(open_split(name, data[name], SPLIT), joints, workers) if name in data else None


def _plan(person: Person) -> CropPlan:
    return plan_crop(person.image_size, person.window.at_least_smallest(), (IMAGE_SIZE, IMAGE_SIZE))
