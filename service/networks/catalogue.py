"""The catalogue of models: read from Triton's repository at the start, and again at an interval."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass, replace

from service.background import BackgroundTask
from service.errors import DeepharError, InvalidArgument, Unavailable, UnknownModel, quoted
from service.networks.card import Card, PersonCard, check_detector, check_keypoints
from service.networks.server import InferenceServer
from service.networks.tensors import CROP_BOXES
from service.vision.layouts import LAYOUTS, Layout

log = logging.getLogger(__name__)

FRAME_SUFFIX, CLIP_SUFFIX = "_frame", "_clip"
PERSON_NETWORK = "person"
LOADING_POLL_S = 0.1
NOT_READY_POLL_S = 1.0  # at most, while another model than the default is not ready


@dataclass(frozen=True)
class Model:
    """A model: its card, and the state of its networks in Triton."""

    card: Card
    version: str
    ready: bool
    max_batch: int
    clip_takes_crops: bool = False  # whether the clip network has the input `crop_boxes`
    clip_max_batch: int = 1

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
    def layout(self) -> Layout:
        return LAYOUTS[self.card.layout]


class Catalogue:
    """The models in Triton's repository, and whether Triton answers. Changes of either are logged.

    Args:
        server: Triton, or a fake of it.
        default_model: Name of the model for requests that name none.
        server_id: Id of the embedded Triton; None where Triton is not the service's own.
        poll_s: Interval of the readings while all is well.
    """

    def __init__(self, server: InferenceServer, default_model: str, server_id: str | None, poll_s: float) -> None:
        self._server, self._default, self._server_id, self._poll_s = server, default_model, server_id, poll_s
        self._models: dict[str, Model] = {}
        self._cardless: set[str] = set()  # in the repository, but not loaded: Triton gives no configuration of them
        self._detector: PersonCard | None = None
        self._detector_away = False
        self.networks: set[str] = set()  # that Triton has ready
        self._was_read = False
        self._lost_since: float | None = time.monotonic()
        self._told_lost = False
        self._complaints: set[str] = set()
        self._reading = BackgroundTask(self._keep_reading, "catalogue")

    def start(self) -> None:
        self._reading.start()

    async def stop(self) -> None:
        await self._reading.stop()

    def missing(self) -> str | None:
        """Returns why the default model cannot be used at present; None when it can."""
        if self._lost_since is not None:
            return "Triton does not answer" if self._was_read else "the models are still being loaded"
        default = self._models.get(self._default)
        if default is None and self._default not in self._cardless:
            return f"the default model {self._default!r} is not in Triton's repository"
        if default is None or not default.ready:
            return f"the default model {self._default!r} is not ready in Triton"
        if self._detector_away:
            return f"the detector {PERSON_NETWORK!r} is not ready in Triton"
        return None

    @property
    def lost_s(self) -> float:
        """Seconds for which Triton has not answered; 0 while it does."""
        return 0.0 if self._lost_since is None else time.monotonic() - self._lost_since

    @property
    def detector(self) -> PersonCard | None:
        """The card of the person detector; None where the repository has none.

        Raises:
            Unavailable: There is a detector that is not ready; without it people would be missed.
        """
        if self._detector_away:
            raise Unavailable("the detector of people is not ready at present; try again in a few seconds")
        return self._detector

    def all(self) -> list[Model]:
        """Returns the models by name; none of them is ready while Triton does not answer.

        Raises:
            Unavailable: The catalogue has not been read yet.
        """
        self._must_have_been_read()
        lost = self._lost_since is not None
        return [_away(model) if lost else model for _, model in sorted(self._models.items())]

    def card_of(self, name: str) -> Model:
        """Returns the model of this name, ready or not.

        Raises:
            UnknownModel: There is no such model.
            Unavailable: It was never loaded, or the catalogue has not been read yet.
        """
        for model in self.all():
            if model.name == name:
                return model
        if name in self._cardless:
            raise Unavailable(f"model {name!r} is not ready at present; Triton loads it, or could not (see its log)")
        names = sorted([*self._models, *self._cardless])
        raise UnknownModel(f"there is no model {quoted(name)}; choose one of {', '.join(names) or '(none)'}")

    def named(self, name: str | None, needs_actions: bool = False, needs_depth: bool = False) -> Model:
        """Returns a model that can be used now.

        Args:
            name: Name of the model; None or empty: the default.
            needs_actions: Whether it must have a clip network.
            needs_depth: Whether its keypoints must have z.

        Raises:
            UnknownModel: There is no such model.
            InvalidArgument: It lacks what is needed.
            Unavailable: It is not ready.
        """
        model = self.card_of(name or self._default)
        if needs_actions and model.card.clip is None:
            raise InvalidArgument(f"model {model.name!r} knows no actions; choose one whose card has a clip network")
        if needs_depth and not model.card.has_depth:
            raise InvalidArgument(
                f"model {model.name!r} has no depth: leave the camera out, or choose one whose card has 3 dimensions"
            )
        if not model.ready:
            raise Unavailable(f"model {model.name!r} is not ready at present; try again in a few seconds")
        return model

    def lose(self, reason: str) -> None:
        """Marks Triton as not answering. The reason is logged once, until Triton is back."""
        if self._lost_since is None:
            self._lost_since = time.monotonic()
        if not self._told_lost:
            self._told_lost = True
            log.error("Triton is lost: %s", reason)

    def _find(self) -> None:
        if self._told_lost:
            log.warning("Triton is back after %.1f s", self.lost_s)
        self._lost_since, self._told_lost = None, False

    def _must_have_been_read(self) -> None:
        if not self._was_read:
            raise Unavailable("the models are still being loaded; try again in a few seconds")

    async def _keep_reading(self) -> None:
        while True:
            self._server.doubted.clear()
            began = time.monotonic()
            try:
                await self.read()
            except DeepharError as error:
                log.debug("Triton cannot be read: %s", error)
                own = self._server_id is not None
                if (self._was_read or not own) and not self._answers_others_since(began):
                    self.lose("no answer" if own else f"no answer at DEEPHAR_TRITON_URL={self._server.url}")
            except Exception:
                log.exception("the models could not be read from Triton")
            if self.missing() is None:
                # Not `wait_for`: before Python 3.12 it loses a cancellation that comes together with the event.
                with contextlib.suppress(TimeoutError):
                    all_ready = not self._cardless and all(model.ready for model in self._models.values())
                    async with asyncio.timeout(self._poll_s if all_ready else min(self._poll_s, NOT_READY_POLL_S)):
                        await self._server.doubted.wait()
                await asyncio.sleep(LOADING_POLL_S)  # calls that fail together cause one reading
            else:
                await asyncio.sleep(LOADING_POLL_S)

    def _answers_others_since(self, began: float) -> bool:
        """Returns whether Triton has answered any inference since: a busy one may be slow to list its models."""
        return any(activity.answered_after(began) for activity in self._server.activity.values())

    async def read(self) -> None:
        """Reads models, cards and states from Triton.

        Raises:
            Unavailable, DeadlineExceeded: Triton did not answer, or another server did.
        """
        if self._server_id is not None and await self._server.server_name() != self._server_id:
            raise Unavailable("another server answers on the embedded Triton's port; restart the service")
        loaded = [model for model in await self._server.models() if not model.gone]
        ready = {model.name: model.version for model in loaded if model.ready}
        self.networks = set(ready)
        models, cardless = {}, set()
        # Cards are read each time: a model that is exported again keeps its name and version.
        for network in sorted({model.name for model in loaded}):
            if network.endswith(FRAME_SUFFIX):
                model = await self._model(network, ready)
                if model is not None:
                    models[model.name] = model
                elif network not in ready:
                    cardless.add(network.removesuffix(FRAME_SUFFIX))
        detector = await self._read_detector() if PERSON_NETWORK in ready else None
        before = self._states()
        self._models, self._cardless, self._detector = models, cardless, detector
        self._detector_away = PERSON_NETWORK not in ready and any(model.name == PERSON_NETWORK for model in loaded)
        self._tell_changes(before)
        self._find()

    def _states(self) -> dict[str, str]:
        states = {model.name: "ready" if model.ready else "not ready" for model in self._models.values()}
        states |= dict.fromkeys(self._cardless, "not ready")
        if self._detector is not None or self._detector_away:
            states[PERSON_NETWORK] = "not ready" if self._detector_away else "ready"
        return states

    def _tell_changes(self, before: dict[str, str]) -> None:
        states = self._states()
        if not self._was_read:
            self._was_read = True
            log.info("models: %s", ", ".join(f"{name} ({state})" for name, state in states.items()) or "none")
            if self._default not in states:
                log.error("DEEPHAR_DEFAULT_MODEL=%s is not among Triton's models", self._default)
            return
        for name in sorted(before | states):
            state = states.get(name, "gone from the repository")
            if state != before.get(name):
                log.log(logging.INFO if state == "ready" else logging.WARNING, "model %s is %s", name, state)

    async def _read_detector(self) -> PersonCard | None:
        config = await self._server.config(PERSON_NETWORK)
        try:
            card = PersonCard.model_validate_json(config.parameters["card"].string_value)
            inputs = {tensor.name: list(tensor.dims) for tensor in config.input}
            check_detector(card, inputs, {tensor.name for tensor in config.output})
            return card
        except ValueError as error:
            self._complain(f"{PERSON_NETWORK} has no valid card and is left out: {error}")
            return None

    def _complain(self, text: str) -> None:
        """Logs an error once, not with every reading."""
        if text not in self._complaints:
            self._complaints.add(text)
            log.error(text)

    async def _model(self, frame_network: str, ready: dict[str, str]) -> Model | None:
        name = frame_network.removesuffix(FRAME_SUFFIX)
        if frame_network not in ready:
            # Triton gives no configuration of a model that is not loaded: the last card is kept.
            known = self._models.get(name)
            return _away(known) if known else None
        config = await self._server.config(frame_network)
        try:
            card = Card.model_validate_json(config.parameters["card"].string_value)
            check_keypoints(card, {tensor.name: list(tensor.dims) for tensor in config.output})
        except (ValueError, KeyError) as error:  # pydantic's errors are ValueErrors
            self._complain(f"{frame_network} has no valid card and is left out: {error}")
            return None
        if card.model != name:
            self._complain(f"the card of {frame_network} is that of another model ({card.model}): left out")
            return None
        takes_crops, clip_max_batch = False, 1
        if card.clip is not None and name + CLIP_SUFFIX in ready:
            clip_config = await self._server.config(name + CLIP_SUFFIX)
            takes_crops = CROP_BOXES in {tensor.name for tensor in clip_config.input}
            clip_max_batch = max(1, clip_config.max_batch_size)
        return Model(
            card=card,
            version=ready[frame_network],
            ready=card.clip is None or name + CLIP_SUFFIX in ready,
            max_batch=max(1, config.max_batch_size),
            clip_takes_crops=takes_crops,
            clip_max_batch=clip_max_batch,
        )


def _away(model: Model) -> Model:
    return replace(model, ready=False)
