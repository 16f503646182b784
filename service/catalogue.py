"""Which models there are: read from Triton at start and again whenever its repository changes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, replace

from service.card import Card, PersonCard
from service.errors import DeepharError, InvalidArgument, Unavailable, UnknownModel
from service.layouts import LAYOUTS, Layout
from service.triton.client import TritonClient

log = logging.getLogger(__name__)

FRAME_SUFFIX, CLIP_SUFFIX, LIFT_SUFFIX = "_frame", "_clip", "_lift"
PERSON_NETWORK = "person"
LOADING_POLL_S = 0.1
CROPS_INPUT = "crop_boxes"
KEYPOINTS_OUTPUT = "keypoints"


@dataclass(frozen=True)
class Model:
    card: Card
    version: str
    ready: bool
    max_batch: int
    clip_takes_crops: bool = False  # whether the clip network wants to know where each frame's crop was
    clip_max_batch: int = 1
    lift_max_batch: int = 1

    @property
    def name(self) -> str:
        return self.card.model

    @property
    def frame_network(self) -> str:
        return self.card.model + FRAME_SUFFIX

    @property
    def clip_network(self) -> str:
        return self.card.model + CLIP_SUFFIX

    @property
    def lift_network(self) -> str:
        return self.card.model + LIFT_SUFFIX

    @property
    def layout(self) -> Layout:
        return LAYOUTS[self.card.layout]


class Catalogue:
    def __init__(self, triton: TritonClient, default_model: str, server_id: str | None, poll_s: float) -> None:
        self._triton, self._default, self._server_id, self._poll_s = triton, default_model, server_id, poll_s
        self._models: dict[str, Model] = {}
        self._detector: PersonCard | None = None
        self._was_read = False
        self._complaints: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep_reading(), name="catalogue")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    @property
    def ready(self) -> bool:
        """Triton answers, and so does the default model."""
        default = self._models.get(self._default)
        return self._was_read and not self._triton.lost.is_set() and default is not None and default.ready

    @property
    def detector(self) -> PersonCard | None:
        """The card of the person detector, where Triton has one."""
        return self._detector

    def all(self) -> list[Model]:
        self._must_have_been_read()
        lost = self._triton.lost.is_set()
        return [_away(model) if lost else model for _, model in sorted(self._models.items())]

    def card_of(self, name: str) -> Model:
        """The model of this name, ready or not."""
        self._must_have_been_read()
        for model in self.all():
            if model.name == name:
                return model
        raise UnknownModel(f"there is no model {name!r}; choose one of {', '.join(sorted(self._models)) or '(none)'}")

    def named(self, name: str | None, needs_actions: bool = False) -> Model:
        """The model to use; `None` or an empty name means the default."""
        model = self.card_of(name or self._default)
        if needs_actions and model.card.clip is None:
            raise InvalidArgument(f"model {model.name!r} knows no actions; choose one whose card has a clip network")
        if not model.ready:
            raise Unavailable(f"model {model.name!r} is not ready at present; try again in a few seconds")
        return model

    def _must_have_been_read(self) -> None:
        if not self._was_read:
            raise Unavailable("the models are still being loaded; try again in a few seconds")

    async def _keep_reading(self) -> None:
        while True:
            try:
                await self.read()
                self._triton.lost.clear()
            except DeepharError as error:
                log.debug("Triton cannot be reached: %s", error)
                self._triton.lost.set()
            except Exception:
                log.exception("the models could not be read from Triton")
            if self.ready:
                # Not `wait_for`: until Python 3.12 that loses a cancellation which comes with the event.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._poll_s):
                        await self._triton.lost.wait()
            else:
                await asyncio.sleep(LOADING_POLL_S)

    async def read(self) -> None:
        if self._server_id is not None and await self._triton.server_name() != self._server_id:
            raise Unavailable("another server answers on the embedded Triton's port")
        loaded = await self._triton.models()
        ready = {model.name: model.version for model in loaded if model.ready}
        models = {}
        # Cards are read each time: a model that is exported anew keeps its name and its version.
        for name in sorted({model.name for model in loaded}):
            if name.endswith(FRAME_SUFFIX):
                model = await self._model(name, ready)
                if model is not None:
                    models[model.name] = model
        detector = await self._read_detector() if PERSON_NETWORK in ready else None
        changed = not self._was_read or (models, detector) != (self._models, self._detector)
        self._models, self._detector, self._was_read = models, detector, True
        if changed:
            names = [f"{m.name}{'' if m.ready else ' (not ready)'}" for m in models.values()]
            log.info("models: %s", ", ".join([*names, PERSON_NETWORK] if detector else names))

    async def _read_detector(self) -> PersonCard | None:
        config = await self._triton.config(PERSON_NETWORK)
        try:
            card = PersonCard.model_validate_json(config.parameters["card"].string_value)
            inputs = {tensor.name: list(tensor.dims) for tensor in config.input}
            _check_detector(card, inputs, {tensor.name for tensor in config.output})
            return card
        except ValueError as error:
            self._complain(f"{PERSON_NETWORK} has no valid card and is left out: {error}")
            return None

    def _complain(self, text: str) -> None:
        """Once, not with every reading."""
        if text not in self._complaints:
            self._complaints.add(text)
            log.error(text)

    async def _model(self, frame_network: str, ready: dict[str, str]) -> Model | None:
        name = frame_network.removesuffix(FRAME_SUFFIX)
        if frame_network not in ready:
            # Triton tells nothing about a model it did not load; what was known of it stays known.
            known = self._models.get(name)
            return _away(known) if known else None
        config = await self._triton.config(frame_network)
        try:
            card = Card.model_validate_json(config.parameters["card"].string_value)
            _check_keypoints(card, {tensor.name: list(tensor.dims) for tensor in config.output})
        except (ValueError, KeyError) as error:  # pydantic's errors are ValueErrors
            self._complain(f"{frame_network} has no valid card and is left out: {error}")
            return None
        if card.model != name:
            self._complain(f"the card of {frame_network} is that of another model ({card.model}): left out")
            return None
        takes_crops, clip_max_batch, lift_max_batch = False, 1, 1
        if card.clip is not None and name + CLIP_SUFFIX in ready:
            clip_config = await self._triton.config(name + CLIP_SUFFIX)
            takes_crops = CROPS_INPUT in {tensor.name for tensor in clip_config.input}
            clip_max_batch = max(1, clip_config.max_batch_size)
        if card.lift is not None and name + LIFT_SUFFIX in ready:
            lift_max_batch = max(1, (await self._triton.config(name + LIFT_SUFFIX)).max_batch_size)
        promised = {CLIP_SUFFIX: card.clip, LIFT_SUFFIX: card.lift}
        return Model(
            card=card,
            version=ready[frame_network],
            ready=all(rule is None or name + suffix in ready for suffix, rule in promised.items()),
            max_batch=max(1, config.max_batch_size),
            clip_takes_crops=takes_crops,
            clip_max_batch=clip_max_batch,
            lift_max_batch=lift_max_batch,
        )


def _check_detector(card: PersonCard, inputs: dict[str, list[int]], outputs: set[str]) -> None:
    """Raises where the detector does not take the pictures, or not answer the boxes, that its card promises."""
    if inputs != {"image": [card.size, card.size, 3]}:
        raise ValueError(f"the card promises pictures of {card.size} x {card.size} pixels, the network has {inputs}")
    if not outputs >= {"boxes", "box_scores"}:
        raise ValueError("the network has no outputs boxes and box_scores")


def _check_keypoints(card: Card, outputs: dict[str, list[int]]) -> None:
    """Raises where the network does not answer the joints and dimensions that its card promises."""
    promised = [len(LAYOUTS[card.layout].joints), card.dims]
    if outputs[KEYPOINTS_OUTPUT] != promised:
        raise ValueError(
            f"the card promises keypoints of shape {promised}, the network has {outputs[KEYPOINTS_OUTPUT]}"
        )


def _away(model: Model) -> Model:
    return replace(model, ready=False)
