"""The target `onnx`: the model repository's files in ONNX Runtime, in fp32 on the processor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from models.datasets.samples import Pixels
from models.evaluation.targets.model_card import ModelCard
from models.evaluation.targets.model_folder import CLIP, FRAME, ModelFolder, card_text, read_folder
from models.evaluation.targets.network_target import FrameBatch, NetworkTarget
from models.evaluation.targets.outputs import Floats
from models.evaluation.targets.problem import TargetProblem
from models.evaluation.targets.window_boxes import whole_crops
from models.files.checksums import sha256_of
from service.networks.tensors import ACTION_FEATURES, ACTION_SCORES, CROP_BOXES, IMAGE, KEYPOINT_SCORES, KEYPOINTS

LAST = ("last",)  # the files answer what the network answers: its last block


def open_onnx(model: str, repository: Path, batch: int = 8) -> NetworkTarget:
    """A model of a repository as a target.

    Raises:
        TargetProblem: It is not there, or cannot be run here.
    """
    network = model + FRAME
    frame = read_folder(repository, network)
    card = ModelCard.from_json(model, card_text(frame.config, network))
    clip = read_folder(repository, model + CLIP) if card.clip_frames else None
    batch = max(1, min(batch, frame.config.max_batch_size))
    networks = OnnxNetworks(frame, clip, card.size)
    software = {"onnxruntime": onnxruntime.__version__}
    actions = LAST if clip is not None else ()
    return NetworkTarget("onnx", networks, card, LAST, actions, sha256_of(frame.file), software, batch)


class OnnxNetworks:
    """The `Networks` of ONNX files."""

    def __init__(self, frame: ModelFolder, clip: ModelFolder | None, size: int) -> None:
        self._frame, self._clip = _session(frame), _session(clip) if clip else None
        self._has_features = ACTION_FEATURES in {output.name for output in self._frame.get_outputs()}
        self._takes_boxes = clip is not None and CROP_BOXES in clip.inputs
        self._size = size
        self._largest_clip_batch = max(1, clip.config.max_batch_size) if clip else 1

    def frames(self, batches: Iterable[Sequence[Pixels]]) -> Iterator[FrameBatch]:
        names = [KEYPOINTS, KEYPOINT_SCORES, *([ACTION_FEATURES] if self._has_features else [])]
        for crops in batches:
            keypoints, scores, *features = self._frame.run(names, {IMAGE: np.stack(crops)})
            yield FrameBatch(keypoints[:, None], scores[:, None], features[0] if features else None)

    def clips(self, batches: Iterable[Floats]) -> Iterator[Floats]:
        assert self._clip is not None  # the target asks for actions where there are some
        for features in batches:
            for start in range(0, len(features), self._largest_clip_batch):
                part = features[start : start + self._largest_clip_batch]
                feed = {ACTION_FEATURES: part}
                if self._takes_boxes:
                    feed[CROP_BOXES] = whole_crops(len(part), part.shape[1], self._size)
                (scores,) = self._clip.run([ACTION_SCORES], feed)
                yield scores[:, None]

    def close(self) -> None:
        del self._frame, self._clip


def _session(folder: ModelFolder) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what is wrong is raised too
    try:
        return onnxruntime.InferenceSession(str(folder.file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of pybind: without a common base
        text = " ".join(str(error).split())[:300]
        raise TargetProblem(f"ONNX Runtime does not take {folder.file}: {text}; export the model again") from None
