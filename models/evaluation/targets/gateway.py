"""The gateway as a target: whole pictures with boxes, as callers send them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from typing import TypeVar

import cv2
import numpy as np
from deephar import Client, DeepharError, Frame
from deephar.address import default_address
from deephar.errors import Overloaded, Unavailable, Unreachable
from deephar.results import ActionsAnswer, Model

from models.datasets.samples import Pixels
from models.evaluation.targets.ahead import made_ahead
from models.evaluation.targets.outputs import ActionsOfClip, PosePx, WholeClip, WholePicture
from models.evaluation.targets.problem import TargetProblem

CALLS = 4  # at a time
LONGEST_S = 600.0  # of a call
PATIENCE_S = 60.0  # with a gateway that was there: others may keep it busy, or it is started again
LARGEST_BITMAP = 16 * 2**20  # bytes; the gateway takes pictures of up to 20 MiB
_PAUSE_S = 1.0

T = TypeVar("T")


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

    def __init__(self, model: str, address: str | None = None, concurrency: int = CALLS) -> None:
        self.address = address or default_address()
        self._concurrency = concurrency
        try:
            self._client = Client(self.address, timeout_s=LONGEST_S)
        except DeepharError as error:
            raise TargetProblem(str(error)) from None
        except ModuleNotFoundError as error:  # of REST
            raise TargetProblem(
                f"{self.address} is REST's, for which this environment lacks the package {error.name}: give the "
                "gateway's HOST:PORT of gRPC in DEEPHAR_ADDRESS"
            ) from None
        try:
            self.model = self._found(model)
        except BaseException:
            self._client.close()
            raise
        self.sha256 = str(self.model.card.get("weights_sha256", ""))
        self.labels = self.model.actions
        self.software = {"model version": self.model.version, "deephar-client": version("deephar-client")}

    @property
    def margin(self) -> float:
        """Side of the model's crop over the longer side of the person's box.

        Raises:
            TargetProblem: The service is too old to say it.
        """
        if (margin := self.model.card.get("crop", {}).get("margin")) is None:
            raise TargetProblem(
                f"the gateway at {self.address} is older than this program and does not say how {self.model.name} cuts "
                "its crop: update it"
            )
        return float(margin)

    def poses(self, pictures: Iterable[WholePicture]) -> Iterator[PosePx]:
        """The poses of pictures, in order. Pictures are sent without loss.

        Raises:
            TargetProblem: The gateway refuses them, or is away or busy for a minute; or the model is replaced.
        """
        return made_ahead(self._pose, pictures, self._concurrency, 2 * self._concurrency)

    def actions(self, clips: Iterable[WholeClip]) -> Iterator[ActionsOfClip]:
        """The action scores of clips, in order.

        Raises:
            TargetProblem: As of `poses`, or the model knows no actions.
        """
        if not self.labels:
            raise TargetProblem(f"{self.model.name} knows no actions; choose a model with a clip network")
        return made_ahead(self._actions, clips, self._concurrency, self._concurrency)

    def close(self) -> None:
        self._client.close()

    def _found(self, name: str) -> Model:
        try:
            models = {model.name: model for model in self._client.models()}
        except DeepharError as error:
            raise self._problem(error) from None
        if name not in models:
            raise TargetProblem(f"the gateway at {self.address} has no {name}; it has {', '.join(sorted(models))}")
        if not models[name].ready:
            missing = ", ".join(models[name].missing) or "it is still loaded"
            raise TargetProblem(f"{name} is not ready at the gateway {self.address}: {missing}")
        return models[name]

    def _pose(self, picture: WholePicture) -> PosePx:
        content = _to_send(picture.pixels)
        answer = self._answered(lambda: self._client.pose(content, model=self.model.name, boxes=[picture.box]))
        self._check_version(answer.version)
        found = answer.to_numpy()
        return PosePx(found.keypoints[0], found.scores[0].astype(np.float32), answer.layout.joints)

    def _actions(self, clip: WholeClip) -> ActionsOfClip:
        def ask() -> ActionsAnswer:
            frames = (Frame(pixels, number / clip.fps, number) for number, pixels in enumerate(clip.read()))
            return self._client.classify(frames, model=self.model.name, top_k=len(self.labels), box=clip.box)

        answer = self._answered(ask)
        self._check_version(answer.version)
        scores = {action.label: action.score for action in answer.actions}
        in_order = np.array([scores.get(label, 0.0) for label in self.labels], np.float32)
        return ActionsOfClip(in_order, self.labels, None if scores else answer.reason or "not_seen")

    def _answered(self, ask: Callable[[], T]) -> T:
        until_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                return ask()
            except (Overloaded, Unavailable, Unreachable) as error:
                if time.monotonic() > until_s:
                    raise self._problem(error) from None
            except DeepharError as error:
                raise self._problem(error) from None
            time.sleep(_PAUSE_S)

    def _check_version(self, version: str) -> None:
        if version != self.model.version:
            raise TargetProblem(
                f"{self.model.name} was replaced during the evaluation (version {self.model.version}, then {version}): "
                "evaluate again"
            )

    def _problem(self, error: DeepharError) -> TargetProblem:
        if error.code == "unimplemented":
            return TargetProblem(
                f"what answers at {self.address} is no gateway of deephar-serve; is it a Triton? "
                f"Then --target {self.address}, or give the gateway's address in DEEPHAR_ADDRESS"
            )
        if error.code == "unreachable":
            return TargetProblem(
                f"no gateway answers at {self.address}: start one (make serve), or say where it is by DEEPHAR_ADDRESS"
            )
        return TargetProblem(f"the gateway at {self.address}: {error}")


def _to_send(pixels: Pixels) -> bytes | Pixels:
    """The picture as a BMP, where nothing is spent on compression; the client makes a PNG of a large one."""
    if pixels.nbytes > LARGEST_BITMAP:
        return pixels
    done, content = cv2.imencode(".bmp", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    assert done
    return content.tobytes()
