"""The gateway as a target: whole pictures with boxes, as callers send them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from models.evaluation.targets.outputs import ActionsOfClip, PosePx, WholeClip, WholePicture


class GatewayTarget:
    """A running deephar-serve, asked by the package `deephar` over gRPC. Closed after use.

    Args:
        model: As the service calls it.
        address: host:port or a URL; None: $DEEPHAR_ADDRESS, or this machine.
        concurrency: Calls at a time.

    Raises:
        TargetProblem: No gateway answers there, or it has no such model.
    """

    name = "gateway"

    def __init__(self, model: str, address: str | None = None, concurrency: int = 4) -> None:
        raise NotImplementedError

    def poses(self, pictures: Iterable[WholePicture]) -> Iterator[PosePx]:
        """The poses of pictures, in order."""
        raise NotImplementedError

    def actions(self, clips: Iterable[WholeClip]) -> Iterator[ActionsOfClip]:
        """The action scores of clips, in order."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError
