"""Interface of an inference server, and the activity of its networks."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray
from tritonclient.grpc.model_config_pb2 import ModelConfig

Tensors = dict[str, NDArray[Any]]


class Outputs(Tensors):
    """Outputs of a network by name, and the version of it that has answered."""

    version = ""


PATIENCE_S = 1.0  # a network that answers no call for this long may be hanging
SLOWER = 2.0  # factor over its best time that a network may take
LONGEST_PATIENCE_S = 10.0
UNKNOWN_WORK_S = 2.5  # assumed while no inference has been timed


class LoadedModel(NamedTuple):
    """An entry of the server's model repository."""

    name: str
    version: str
    ready: bool
    gone: bool  # its folder was removed from the repository
    reason: str = ""  # why it is not ready, in the server's words


@dataclass
class Activity:
    """Pending calls, last answer and best time of one network. A sample is one picture or clip of a batch."""

    waiting: int = 0  # samples of all pending calls
    abandoned: int = 0  # samples of cancelled calls, which may still be computed until the next answer
    since: float = field(default_factory=time.monotonic)  # of the last answer or, before it, the first pending call
    last_answer: float = -math.inf
    failed: bool = False  # whether the last call failed
    fastest_s: float = math.inf  # best time of one sample

    def silent_s(self) -> float:
        """Returns for how many seconds calls have been pending without an answer to any of them."""
        return time.monotonic() - self.since if self.waiting else 0.0

    def began(self, samples: int) -> None:
        """Counts a call as pending."""
        if not self.waiting:
            self.since = time.monotonic()
        self.waiting += samples

    def patience_s(self) -> float:
        """Returns how many seconds without an answer are no fault, by the samples in work and the best time of one."""
        samples = self.waiting + self.abandoned
        work_s = UNKNOWN_WORK_S if math.isinf(self.fastest_s) else samples * self.fastest_s
        return min(max(PATIENCE_S, SLOWER * work_s), LONGEST_PATIENCE_S)

    def answered(self) -> None:
        """Notes an answer of the network, to any call."""
        self.since = self.last_answer = time.monotonic()
        self.failed, self.abandoned = False, 0

    def answered_after(self, moment: float) -> bool:
        """Returns whether there was an answer after a `time.monotonic()`."""
        return self.last_answer > moment


class InferenceServer(Protocol):
    """Triton by the client in `service.networks.triton`, or several of them; in tests a fake."""

    url: str
    doubted: asyncio.Event  # set by a call that failed as if the server or the network were gone
    activity: dict[str, Activity]  # by network

    async def server_name(self) -> str:
        """Returns the server's id.

        Raises:
            Unavailable, DeadlineExceeded: The server did not answer.
        """

    async def models(self) -> list[LoadedModel]:
        """Returns all entries of the model repository, loaded, not loaded or removed.

        Raises:
            Unavailable, DeadlineExceeded: The server did not answer.
        """

    async def config(self, model: str) -> ModelConfig:
        """Returns the configuration of a loaded model, in Triton's sense: of one network.

        Raises:
            Unavailable, DeadlineExceeded: The server did not answer, or the model is not loaded.
        """

    async def infer(self, network: str, tensors: Tensors, version: str = "") -> Outputs:
        """Returns all outputs of a network by name.

        Args:
            network: Name of the network in the model repository.
            tensors: Its inputs by name, each with the batch as first dimension.
            version: Of several servers, those that have this version are asked, while there is one.

        Raises:
            Unavailable, DeadlineExceeded, Overloaded: The network did not answer.
        """
