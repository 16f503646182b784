"""The catalogue of models: read from Triton's repository at the start, and again at an interval."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping

from service.background import BackgroundTask
from service.errors import DeepharError, InvalidArgument, Unavailable, UnknownModel, quoted
from service.networks.card import PersonCard
from service.networks.contents import Contents, read_contents
from service.networks.model import CLIP_SUFFIX, FRAME_SUFFIX, PERSON_NETWORK, Model, ModelState
from service.networks.server import InferenceServer
from service.telemetry.metrics import METRICS

log = logging.getLogger(__name__)

LOADING_POLL_S = 0.1
NOT_READY_POLL_S = 1.0  # at most, while another model than the default is not ready
FIRST_ANSWER_S = 1.0  # for a Triton that is not the service's own, before it is told as lost
AWAY = "Triton does not answer"
GONE_S = 0.2  # between two looks at a repository that lacks a model: a folder may just be replaced


class Catalogue:
    """The models in Triton's repository, and whether Triton answers. Changes of either are logged.

    Args:
        server: Triton, or a fake of it.
        default_model: Name of the model for requests that name none.
        server_id: Id of the embedded Triton; None where Triton is not the service's own.
        poll_s: Interval of the readings while all is well.
        refusals: Why networks are not loaded, by name, where the service itself loads them.
        address: Of the one Triton that there is, for the metrics; several count by themselves.
    """

    def __init__(
        self,
        server: InferenceServer,
        default_model: str,
        server_id: str | None,
        poll_s: float,
        refusals: Mapping[str, str] | None = None,
        address: str = "",
    ) -> None:
        self._server, self._default, self._server_id, self._poll_s = server, default_model, server_id, poll_s
        self._refusals, self._address = refusals, address
        self._contents = Contents()
        self._was_read = False
        self._lost_since: float | None = time.monotonic()
        self._told_lost = False
        self._complaints: set[str] = set()
        self._told_states: dict[str, ModelState] = {}
        self._reading = BackgroundTask(self._keep_reading, "catalogue")

    def start(self) -> None:
        self._reading.start()

    async def stop(self) -> None:
        await self._reading.stop()

    def missing(self) -> str | None:
        """Returns why the default model cannot be used at present; None when it can."""
        if self._lost_since is not None:
            was_told = self._was_read or self._told_lost
            return AWAY if was_told else "the models are still being loaded"
        states = self._contents.states
        if self._default not in states:
            return f"the default model {self._default!r} is not in Triton's repository"
        if not states[self._default].ready:
            return f"the default model {self._default!r} is not ready in Triton"
        if self._contents.detector_away:
            return f"the detector {PERSON_NETWORK!r} is not ready in Triton"
        return None

    def states(self) -> list[ModelState]:
        """Returns the states of the models, and of the detector, by name; those that are known while Triton is away."""
        away = (AWAY,) if self._lost_since is not None else ()
        return [state._replace(missing=away or state.missing) for _, state in sorted(self._contents.states.items())]

    @property
    def networks(self) -> set[str]:
        """The networks that Triton has ready."""
        return self._contents.networks

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
        if self._contents.detector_away:
            raise Unavailable("the detector of people is not ready at present; try again in a few seconds")
        return self._contents.detector

    def all(self) -> list[Model]:
        """Returns the models by name; none of them is ready while Triton does not answer.

        Raises:
            Unavailable: The catalogue has not been read yet.
        """
        self._must_have_been_read()
        lost = self._lost_since is not None
        return [model.away(AWAY) if lost else model for _, model in sorted(self._contents.models.items())]

    def incomplete(self) -> list[ModelState]:
        """Returns the models of which so much is missing that their cards are not known, by name."""
        known = self._contents.models.keys() | {PERSON_NETWORK}
        return [state for state in self.states() if state.name not in known]

    def card_of(self, name: str) -> Model:
        """Returns the model of this name, ready or not.

        Raises:
            UnknownModel: There is no such model.
            Unavailable: It was never loaded, or the catalogue has not been read yet.
        """
        for model in self.all():
            if model.name == name:
                return model
        for state in self.incomplete():
            if state.name == name:
                raise _not_ready(name, state.missing)
        names = sorted(self._contents.models)
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
            raise _not_ready(model.name, model.missing)
        return model

    def lose(self, reason: str) -> None:
        """Marks Triton as not answering. The reason is logged once, until Triton is back."""
        if self._lost_since is None:
            self._lost_since = time.monotonic()
        self._set_up(False)
        for name, state in self._told_states.items():
            METRICS.model_ready.labels(name, state.version).set(0)
        if not self._told_lost:
            self._told_lost = True
            log.error("Triton is lost: %s", reason)

    def end(self, reason: str) -> None:
        """Marks Triton as ended: it has no network ready until it is read again, so the next one may take its time."""
        self._contents.networks = set()
        self.lose(reason)

    def _find(self) -> None:
        if self._told_lost:
            log.warning("Triton is back after %.1f s", self.lost_s)
        self._lost_since, self._told_lost = None, False
        self._set_up(True)

    def _set_up(self, up: bool) -> None:
        if self._address:
            METRICS.triton_up.labels(self._address).set(up)

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
                is_due = self._was_read or (not own and self.lost_s > FIRST_ANSWER_S)
                if is_due and not self._answers_others_since(began):
                    self.lose("no answer" if own else f"no answer at DEEPHAR_TRITON_URL={self._server.url}")
            except Exception:
                log.exception("the models could not be read from Triton")
            if self.missing() is None:
                # Not `wait_for`: before Python 3.12 it loses a cancellation that comes together with the event.
                with contextlib.suppress(TimeoutError):
                    all_ready = all(state.ready for state in self.states())
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
        contents = await read_contents(self._server, self._contents, self._refusals)
        if self._contents.states.keys() - contents.states.keys():
            await asyncio.sleep(GONE_S)
            contents = await read_contents(self._server, self._contents, self._refusals)
        self._contents = contents
        if self._refusals is None:  # otherwise who loads them has told it
            for network, reason in contents.refusals.items():
                self._complain(f"{network} is refused: {reason}")
        self._tell_changes()
        self._find()

    def _tell_changes(self) -> None:
        before, states = self._told_states, self._contents.states
        self._told_states = states
        for name, state in states.items():
            METRICS.model_ready.labels(name, state.version).set(state.ready)
        for name, state in before.items():
            if name not in states or states[name].version != state.version:
                METRICS.model_ready.remove(name, state.version)
        if not self._was_read:
            self._was_read = True
            log.info("models: %s", ", ".join(map(self._told, states.values())) or "none")
            if self._default not in states:
                log.error("DEEPHAR_DEFAULT_MODEL=%s is not among Triton's models", self._default)
            return
        for name in sorted(before.keys() | states.keys()):
            if name not in states:
                log.warning("model %s is gone from the repository", name)
            elif name not in before or before[name][1:] != states[name][1:]:
                log.log(logging.INFO if states[name].ready else logging.WARNING, "model %s", self._told(states[name]))

    def _told(self, state: ModelState) -> str:
        """Returns a state as text, without a reason that has its own line already."""
        if state.ready:
            return f"{state.name} is ready, version {state.version}"
        refusals = self._contents.refusals if self._refusals is None else self._refusals
        networks = {state.name, state.name + FRAME_SUFFIX, state.name + CLIP_SUFFIX}
        return f"{state.name} is not ready" + ("" if networks & refusals.keys() else f": {'; '.join(state.missing)}")

    def _complain(self, text: str) -> None:
        """Logs an error once, not with every reading."""
        if text not in self._complaints:
            self._complaints.add(text)
            log.error(text)


def _not_ready(name: str, missing: tuple[str, ...]) -> Unavailable:
    return Unavailable(f"model {name!r} is not ready: {'; '.join(missing)}; try again when it is")
