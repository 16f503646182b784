"""The target HOST:PORT: a Triton that serves the models, asked directly by gRPC for `<model>_frame` and `_clip`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version

import numpy as np
from tritonclient.grpc.model_config_pb2 import ModelConfig

from models.datasets.samples import Pixels
from models.evaluation.targets.model_card import ModelCard
from models.evaluation.targets.model_folder import CLIP, FRAME, card_text
from models.evaluation.targets.network_target import FrameBatch, NetworkTarget, batches_of
from models.evaluation.targets.outputs import Floats
from models.evaluation.targets.triton_calls import Answer, Sent, TritonCalls
from models.evaluation.targets.window_boxes import whole_crops
from service.networks.tensors import ACTION_FEATURES, ACTION_SCORES, CROP_BOXES, IMAGE, KEYPOINT_SCORES, KEYPOINTS

LAST = ("last",)  # the server answers what the network answers: its last block


def open_triton(model: str, address: str, batch: int = 8) -> NetworkTarget:
    """A model of a Triton as a target.

    Raises:
        TargetProblem: No Triton answers there, or it lacks the model.
    """
    calls = TritonCalls(address)
    try:
        server = calls.server()
        frame = calls.config(model + FRAME)
        card = ModelCard.from_json(model, card_text(frame, model + FRAME))
        clip = calls.config(model + CLIP) if card.clip_frames else None
    except BaseException:
        calls.close()
        raise
    software = {"triton": server, "tritonclient": version("tritonclient")}
    actions = LAST if clip is not None else ()
    batch = max(1, min(batch, frame.max_batch_size))
    networks = TritonNetworks(calls, frame, clip, card.size)
    return NetworkTarget("triton", networks, card, LAST, actions, card.weights_sha256, software, batch)


class TritonNetworks:
    """The `Networks` of a Triton. Several requests are under way at a time, so that it never waits for the next."""

    def __init__(self, calls: TritonCalls, frame: ModelConfig, clip: ModelConfig | None, size: int) -> None:
        self._calls, self._frame, self._size = calls, frame.name, size
        self._clip = clip.name if clip else ""
        self._has_features = ACTION_FEATURES in {tensor.name for tensor in frame.output}
        self._takes_boxes = clip is not None and CROP_BOXES in {tensor.name for tensor in clip.input}
        self._largest_clip_batch = max(1, clip.max_batch_size) if clip else 1

    def frames(self, batches: Iterable[Sequence[Pixels]]) -> Iterator[FrameBatch]:
        wanted = [KEYPOINTS, KEYPOINT_SCORES, *([ACTION_FEATURES] if self._has_features else [])]
        for answer in self._calls.answers(self._frame, map(self._crops, batches), wanted):
            yield FrameBatch(answer[KEYPOINTS][:, None], answer[KEYPOINT_SCORES][:, None], answer.get(ACTION_FEATURES))

    def _crops(self, crops: Sequence[Pixels]) -> list[Sent]:
        # One copy, from the crops into the request.
        return [
            Sent(
                IMAGE,
                "UINT8",
                (len(crops), *crops[0].shape),
                b"".join(np.ascontiguousarray(crop).data for crop in crops),
            )
        ]

    def clips(self, batches: Iterable[Floats]) -> Iterator[Floats]:
        parts = (np.stack(part) for batch in batches for part in batches_of(batch, self._largest_clip_batch))
        answers: Iterator[Answer] = self._calls.answers(self._clip, map(self._features, parts), [ACTION_SCORES])
        for answer in answers:
            yield answer[ACTION_SCORES][:, None]

    def _features(self, features: Floats) -> list[Sent]:
        sent = [Sent(ACTION_FEATURES, "FP32", features.shape, features.tobytes())]
        if self._takes_boxes:
            boxes = whole_crops(len(features), features.shape[1], self._size)
            sent.append(Sent(CROP_BOXES, "FP32", boxes.shape, boxes.tobytes()))
        return sent

    def close(self) -> None:
        self._calls.close()
