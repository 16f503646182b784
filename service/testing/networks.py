"""A fake of the inference server: the cards of a real model repository, and fixed outputs."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import numpy as np
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from service.errors import Unavailable
from service.networks.model import PERSON_NETWORK
from service.networks.server import Activity, LoadedModel, Outputs, Tensors
from service.networks.tensors import (
    ACTION_FEATURES,
    ACTION_SCORES,
    BOX_SCORES,
    BOXES,
    IMAGE,
    KEYPOINT_SCORES,
    KEYPOINTS,
)
from service.settings import ROOT

PERSON_BOX = (0.25, 0.25, 0.25, 0.5)  # x, y, width, height of the first detection, in 0..1 of the letterbox
JOINT_SCORE = 0.9


class FakeServer:
    """An `InferenceServer` that needs no Triton.

    The detector finds `people` people; where there are none, no joint has a score. The keypoints of a crop are on a
    circle around its middle. The clip network gives the action with index `action` a high score.

    Args:
        repository: The model repository whose networks are served.

    Attributes:
        calls: Network and inputs of each inference.
        broken: Names of networks that do not answer.
        versions: Of networks whose version is not 1; empty: it is not loaded.
        people: Number of detections.
        action: Index of the action with the highest score.
    """

    def __init__(self, repository: Path = ROOT / "model_repository") -> None:
        self.url = "fake"
        self.doubted = asyncio.Event()
        self.activity: dict[str, Activity] = {}
        self.calls: list[tuple[str, Tensors]] = []
        self.broken: set[str] = set()
        self.versions: dict[str, str] = {}
        self.people = 1
        self.action = 0
        self._configs = {path.parent.name: _config(path) for path in repository.glob("*/config.pbtxt")}

    async def server_name(self) -> str:
        return "fake"

    async def models(self) -> list[LoadedModel]:
        versions = {name: self.versions.get(name, "1") for name in self._configs}
        return [LoadedModel(name, version, ready=bool(version), gone=False) for name, version in versions.items()]

    async def config(self, model: str) -> ModelConfig:
        return self._configs[model]

    async def infer(self, network: str, tensors: Tensors, version: str = "") -> Outputs:  # noqa: ARG002
        outputs = Outputs(await self._answer(network, tensors))
        outputs.version = self.versions.get(network, "1")
        return outputs

    async def _answer(self, network: str, tensors: Tensors) -> Tensors:
        self.calls.append((network, tensors))
        if network in self.broken:
            raise Unavailable("the fake does not answer for this network")
        if network == PERSON_NETWORK:
            return self._boxes(len(next(iter(tensors.values()))))
        config = self._configs[network]
        count = len(next(iter(tensors.values())))
        shapes = {output.name: (count, *output.dims) for output in config.output}
        if ACTION_SCORES in shapes:
            scores = np.full(shapes[ACTION_SCORES], 0.01, np.float32)
            scores[:, self.action] = 0.8
            return {ACTION_SCORES: scores}
        if IMAGE in tensors:
            return _joints(shapes, JOINT_SCORE if self.people else 0.0)
        return {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}

    def _boxes(self, pictures: int) -> Tensors:
        """Returns the detections of the first picture; the others, its tiles, show nobody."""
        boxes, scores = np.zeros((pictures, 8, 4), np.float32), np.zeros((pictures, 8), np.float32)
        for person in range(self.people):
            boxes[0, person] = PERSON_BOX
            boxes[0, person, 0] += 0.3 * person
            scores[0, person] = JOINT_SCORE - 0.1 * person
        return {BOXES: boxes, BOX_SCORES: scores}


def _joints(shapes: dict[str, tuple[int, ...]], score: float) -> Tensors:
    joints = shapes[KEYPOINTS][1]
    turns = np.linspace(0, 2 * np.pi, joints, endpoint=False)
    keypoints = np.full(shapes[KEYPOINTS], 0.5, np.float32)
    keypoints[..., :2] += 0.3 * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    answer = {KEYPOINTS: keypoints, KEYPOINT_SCORES: np.full(shapes[KEYPOINT_SCORES], score, np.float32)}
    if ACTION_FEATURES in shapes:
        answer[ACTION_FEATURES] = np.zeros(shapes[ACTION_FEATURES], np.float32)
    return answer


def _config(path: Path) -> ModelConfig:
    """Returns a parsed `config.pbtxt`; fields of a newer Triton than the client's protobuf are ignored."""
    return text_format.Parse(re.sub(r"#.*", "", path.read_text()), ModelConfig(), allow_unknown_field=True)
