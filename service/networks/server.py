"""What the gateway needs of an inference server: network in, tensors out."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray
from tritonclient.grpc.model_config_pb2 import ModelConfig

Tensors = dict[str, NDArray[Any]]

PATIENCE_S = 1.0  # an inference that takes longer, while the network answers nobody, is a reason to look
SLOWER = 2.0  # than its best, so much may a network be
LONGEST_PATIENCE_S = 10.0
UNKNOWN_WORK_S = 2.5


class LoadedModel(NamedTuple):
    name: str
    version: str
    ready: bool
    gone: bool  # its folder was taken out of the repository


@dataclass
class Activity:
    """How one network answers at present."""

    waiting: int = 0  # pictures or clips, in all calls together
    abandoned: int = 0  # of calls that were cancelled, and may be in work all the same until the next answer
    since: float = field(default_factory=time.monotonic)  # the last answer or, before it, the first call that waits
    last_answer: float = -math.inf
    failed: bool = False  # whether the last call did
    fastest_s: float = math.inf  # for one picture or clip

    def silent_s(self) -> float:
        """For how long calls have waited without an answer to any of them."""
        return time.monotonic() - self.since if self.waiting else 0.0

    def began(self, samples: int) -> None:
        if not self.waiting:
            self.since = time.monotonic()
        self.waiting += samples

    def patience_s(self) -> float:
        """How long silence is no fault: what is in work may take longer than one inference, as far as is known."""
        samples = self.waiting + self.abandoned
        work_s = UNKNOWN_WORK_S if math.isinf(self.fastest_s) else samples * self.fastest_s
        return min(max(PATIENCE_S, SLOWER * work_s), LONGEST_PATIENCE_S)

    def answered(self) -> None:
        self.since = self.last_answer = time.monotonic()
        self.failed, self.abandoned = False, 0

    def answered_after(self, moment: float) -> bool:
        return self.last_answer > moment


class InferenceServer(Protocol):
    """Triton as `service.networks.triton` speaks to it, or a fake of it in tests."""

    url: str
    doubted: asyncio.Event  # set by a call that failed as if the server, or the network, were gone
    activity: dict[str, Activity]  # by network

    async def server_name(self) -> str:
        """Returns the name that the server gives itself. Raises `Unavailable` or `DeadlineExceeded`."""

    async def models(self) -> list[LoadedModel]:
        """Returns what is or was in the repository, whether or not it could be loaded."""

    async def config(self, model: str) -> ModelConfig:
        """Returns the configuration of a loaded model."""

    async def infer(self, network: str, tensors: Tensors) -> Tensors:
        """Returns all outputs of the network. Raises `Unavailable`, `DeadlineExceeded` or `Overloaded`."""
