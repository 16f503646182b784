"""Which model answers: on a fake server whose repository has more models than the project's."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tritonclient.grpc.model_config_pb2 import ModelConfig

from service.errors import DeadlineExceeded, UnknownModel
from service.networks.server import Activity
from service.networks.urgency import Latency, become, in_time, present
from service.pipeline.effort import Choice, Effort, ModelChooser, Need
from tests.unit.parts import Gateway, with_gateway

TIMES_S = {"lite": 0.01, "full": 0.04, "tiny": 0.002, "flat": 0.001, "penn": 0.3, "penn@2": 0.1}


def chosen(
    name: str | None = None, effort: Effort | None = None, load: float = 0.0, models: str = "lite full", **need: Any
) -> Choice:
    async def work(parts: Gateway) -> Choice:
        await with_models(parts, models.split())
        chooser = ModelChooser(parts.catalogue, parts.server)
        return await chooser.choose(Need(name, effort)._replace(**need), load)

    return with_gateway(work)


async def with_models(parts: Gateway, names: list[str]) -> None:
    """Gives the fake server models like `lite`; `flat` has no depth."""
    server = parts.server
    for name in names:
        for network in ("frame", "clip"):
            config = ModelConfig()
            config.CopyFrom(server._configs[f"lite_{network}"])
            if network == "frame":
                card = json.loads(config.parameters["card"].string_value) | {"model": name}
                if name == "flat":
                    card |= {"dims": 2, "depth_scale_mm": None, "lift": None}
                    config.output[0].dims[1] = 2
                config.parameters["card"].string_value = json.dumps(card)
            server._configs[f"{name}_{network}"] = config
        server.activity[f"{name}_frame"] = Activity(fastest_s=TIMES_S[name])
    server.activity["person"] = Activity(fastest_s=0.01)
    await parts.catalogue.read()


def told(choice: Choice) -> tuple[str, str, bool]:
    return choice.model.name, choice.effort, choice.flip


@pytest.mark.parametrize(
    ("effort", "models", "expected"),
    [
        (None, "lite full tiny", ("lite", "balanced", False)),
        ("fast", "lite full tiny", ("tiny", "fast", False)),
        ("balanced", "lite full tiny", ("lite", "balanced", False)),
        ("best", "lite full tiny", ("full", "best", True)),
        ("fast", "lite flat", ("lite", "balanced", False)),
        ("best", "lite", ("lite", "best", True)),
    ],
)
def test_without_a_name_models_of_the_same_kind_are_chosen_from(
    effort: Effort | None, models: str, expected: tuple[str, str, bool]
) -> None:
    assert told(chosen(None, effort, models=models, picture=True)) == expected


def test_where_there_is_no_other_model_the_answer_says_so() -> None:
    assert "no faster model like 'lite'" in str(chosen(None, "fast", models="lite").reason)
    assert "no better model like 'lite'" in str(chosen(None, "best", models="lite").reason)
    assert chosen(None, "best", models="lite", picture=True).reason is None


def test_of_a_model_that_is_named_its_cuts_are_chosen_from() -> None:
    models = "lite full penn penn@2"
    assert told(chosen("penn", None, models=models)) == ("penn", "balanced", False)
    assert told(chosen("penn", "fast", models=models)) == ("penn@2", "fast", False)
    assert told(chosen("penn@2", "best", models=models)) == ("penn", "best", False)
    assert told(chosen("lite", "best", models=models)) == ("lite", "balanced", False)
    with pytest.raises(UnknownModel):
        chosen("pen", "fast")


@pytest.mark.parametrize(
    ("allowed_s", "expected"),
    [(1.0, ("full", "best", True)), (0.08, ("lite", "balanced", False)), (0.001, ("tiny", "fast", False))],
)
def test_what_would_come_too_late_is_stepped_down(allowed_s: float, expected: tuple[str, str, bool]) -> None:
    choice = chosen(None, "best", models="lite full tiny", picture=True, allowed_s=allowed_s)
    assert told(choice) == expected
    assert (choice.reason is None) == (choice.effort == "best")


@pytest.mark.parametrize(("load", "expected"), [(0.4, "best"), (0.6, "balanced"), (0.9, "fast")])
def test_a_busy_service_steps_down_before_it_refuses(load: float, expected: str) -> None:
    choice = chosen(None, "best", load, models="lite full tiny", picture=True)
    assert choice.effort == expected
    assert choice.reason == (None if expected == "best" else "the service is busy")


def test_a_named_model_answers_whatever_the_load() -> None:
    assert told(chosen("full", None, load=1.0, picture=True)) == ("full", "balanced", False)


def test_models_that_were_never_timed_are_timed_first() -> None:
    async def work(parts: Gateway) -> None:
        await with_models(parts, ["lite", "full"])
        infer, server = parts.server.infer, parts.server
        del server.activity["full_frame"], server.activity["lite_frame"]

        async def timed(network: str, tensors: dict[str, object], version: str = "") -> object:
            server.activity[network] = Activity(fastest_s=TIMES_S[network.removesuffix("_frame")])
            return await infer(network, tensors)  # type: ignore[arg-type]

        server.infer = timed  # type: ignore[method-assign, assignment]
        chooser = ModelChooser(parts.catalogue, server)
        assert told(await chooser.choose(Need(None, "best"), 0.0)) == ("full", "best", False)

    with_gateway(work)


def run(work: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(work())  # type: ignore[arg-type]


def test_tasks_inherit_the_urgency_of_who_began_them() -> None:
    async def work() -> None:
        become(Latency.LIVE, time.monotonic() + 10)
        inherited = await asyncio.create_task(asyncio.to_thread(present))
        assert inherited.latency is Latency.LIVE
        assert 9 < (inherited.left_s() or 0) <= 10

    run(work)


def test_what_is_not_there_in_time_is_given_up() -> None:
    async def work() -> None:
        become(Latency.SINGLE, time.monotonic() + 0.01)
        with pytest.raises(DeadlineExceeded, match="effort=fast"):
            await in_time(asyncio.sleep(10))
        with pytest.raises(DeadlineExceeded):
            present().left_s()

    run(work)
