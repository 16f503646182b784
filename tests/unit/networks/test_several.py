"""Several Tritons as one: which is asked, how often, and what becomes of calls to one that is lost."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import numpy as np
import pytest

from service.errors import DeadlineExceeded, DeepharError, Unavailable
from service.networks.addresses import Resolver, is_name
from service.networks.catalogue import Catalogue
from service.networks.server import Activity, LoadedModel, Outputs, Tensors
from service.networks.several import MOST_TRIES, SeveralTritons
from service.networks.triton import TritonClient
from service.networks.urgency import Latency, become
from service.settings import Settings
from service.telemetry.metrics import METRICS
from service.testing.networks import FakeServer

CROP: Tensors = {"image": np.zeros((1, 192, 192, 3), np.uint8)}


class FakeTriton(FakeServer):
    """The client of one Triton.

    Attributes:
        away: What questions are answered with; None: it is there.
        hangs: Whether inferences are not answered.
    """

    def __init__(self, address: str) -> None:
        super().__init__()
        self.url = address
        self.away: DeepharError | None = None
        self.hangs = False
        self.given_up: list[str | None] = []
        self.samples = 0
        self.is_closed = False
        self._pending: set[asyncio.Future[None]] = set()

    async def server_name(self, timeout_s: float = 2.0) -> str:
        if self.away is not None:
            raise self.away
        return self.url

    async def models(self) -> list[LoadedModel]:
        await self.server_name()
        return await super().models()

    async def infer(self, network: str, tensors: Tensors, version: str = "") -> Outputs:
        activity = self.activity.setdefault(network, Activity())
        activity.began(1)
        self.samples += 1
        try:
            if self.hangs:
                pending: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._pending.add(pending)
                await pending
            outputs = await super().infer(network, tensors, version)
        except Unavailable:
            activity.failed = True
            self.doubted.set()
            raise
        finally:
            activity.waiting -= 1
            self.samples -= 1
        activity.answered()
        return outputs

    async def ask(self, network: str, timeout_s: float) -> None:
        async with asyncio.timeout(timeout_s):
            await self.infer(network, CROP)

    def give_up(self, network: str | None = None) -> None:
        self.given_up.append(network)
        for pending in self._pending:
            if not pending.done():
                pending.set_exception(Unavailable("given up"))

    def take_up(self) -> None:
        pass

    async def close(self) -> None:
        self.is_closed = True


@asynccontextmanager
async def several(count: int) -> AsyncIterator[tuple[SeveralTritons, list[FakeTriton]]]:
    addresses = [f"127.0.0.{host}:8001" for host in range(1, count + 1)]
    tritons = {address: FakeTriton(address) for address in addresses}
    server = SeveralTritons(
        Resolver(addresses), ",".join(addresses), lambda address: cast(TritonClient, tritons[address])
    )
    await server.look_up()
    try:
        await asyncio.sleep(0.01)  # for the first check
        await server.models()
        yield server, list(tritons.values())
    finally:
        await server.stop()
        await server.close()


def on(count: int, scene: Callable[[SeveralTritons, list[FakeTriton]], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(20), several(count) as (server, tritons):
            await scene(server, tritons)

    asyncio.run(run())


async def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not condition():
        await asyncio.sleep(0.01)
    return condition()


def asked(triton: FakeTriton) -> int:
    return len(triton.calls)


def test_the_one_with_the_least_to_do_is_asked() -> None:
    async def scene(server: SeveralTritons, tritons: list[FakeTriton]) -> None:
        tritons[0].samples, tritons[1].samples, tritons[2].samples = 5, 2, 9
        for _ in range(4):
            await server.infer("lite_frame", CROP)
        assert [asked(triton) for triton in tritons] == [0, 4, 0]
        tritons[0].samples = tritons[2].samples = tritons[1].samples
        for _ in range(60):
            await server.infer("lite_frame", CROP)
        assert min(asked(triton) for triton in tritons) > 5

    on(3, scene)


def test_a_call_that_fails_is_asked_of_others_and_of_each_once() -> None:
    async def scene(server: SeveralTritons, tritons: list[FakeTriton]) -> None:
        tritons[0].broken = {"lite_frame"}
        for _ in range(10):
            assert "keypoints" in await server.infer("lite_frame", CROP)
        for triton in tritons:
            triton.broken = {"lite_frame"}
            triton.calls.clear()
        with pytest.raises(Unavailable):
            await server.infer("lite_frame", CROP)
        assert sum(asked(triton) for triton in tritons) == MOST_TRIES
        assert max(asked(triton) for triton in tritons) == 1
        assert server.activity["lite_frame"].waiting == 0

    on(5, scene)


def test_no_try_is_made_when_the_callers_time_is_over() -> None:
    async def scene(server: SeveralTritons, tritons: list[FakeTriton]) -> None:
        for triton in tritons:
            triton.broken = {"lite_frame"}
        become(Latency.SINGLE, time.monotonic() - 0.001)
        with pytest.raises(DeadlineExceeded):
            await server.infer("lite_frame", CROP)
        assert sum(asked(triton) for triton in tritons) == 1

    on(3, scene)


def test_calls_to_one_that_hangs_are_given_up_and_asked_of_another(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(server: SeveralTritons, tritons: list[FakeTriton]) -> None:
        tritons[1].samples = 99
        tritons[0].hangs = True
        calls = [asyncio.create_task(server.infer("lite_frame", CROP)) for _ in range(3)]
        await asyncio.sleep(0.02)
        assert not any(call.done() for call in calls)
        tritons[0].away = DeadlineExceeded("no answer")
        assert all("keypoints" in outputs for outputs in await asyncio.gather(*calls))
        assert [asked(triton) for triton in tritons] == [0, 3]
        # It is back when it answers and its networks do.
        tritons[0].away, tritons[0].hangs = None, False
        assert await eventually(lambda: server.members[tritons[0].url].is_up)
        await server.models()
        assert await eventually(lambda: server.members[tritons[0].url].can_answer("lite_frame"))

    with caplog.at_level(logging.WARNING):
        on(2, scene)
    lines = [record.getMessage() for record in caplog.records if "127.0.0.1:8001" in record.getMessage()]
    assert lines[0] == "Triton at 127.0.0.1:8001 is lost: it does not answer"
    assert lines[1].startswith("Triton at 127.0.0.1:8001 is back after ")
    assert len(lines) == 2


def test_calls_are_not_given_up_where_no_other_could_answer_them() -> None:
    async def scene(server: SeveralTritons, tritons: list[FakeTriton]) -> None:
        tritons[0].hangs = True
        call = asyncio.create_task(server.infer("lite_frame", CROP))
        await asyncio.sleep(0.02)
        tritons[0].away = DeadlineExceeded("no answer")
        assert await eventually(lambda: not server.members[tritons[0].url].is_up)
        assert tritons[0].given_up == []
        call.cancel()

    on(1, scene)


def test_a_network_that_hangs_is_asked_elsewhere_though_its_server_answers() -> None:
    async def scene(server: SeveralTritons, tritons: list[FakeTriton]) -> None:
        tritons[1].samples = 99
        tritons[0].hangs = True
        activity = tritons[0].activity["lite_frame"] = Activity(fastest_s=0.01)
        call = asyncio.create_task(server.infer("lite_frame", CROP))
        await asyncio.sleep(0.02)
        activity.since -= 60
        assert "keypoints" in await call
        assert "lite_frame" in tritons[0].given_up
        assert not server.members[tritons[0].url].can_answer("lite_frame")
        assert server.members[tritons[0].url].can_answer("person")

    on(2, scene)


def test_the_catalogue_is_what_any_of_them_has() -> None:
    async def scene(server: SeveralTritons, tritons: list[FakeTriton]) -> None:
        tritons[0].versions = {"person": "", "lite_frame": "2"}
        tritons[1].versions = {"lite_clip": ""}
        catalogue = Catalogue(server, "lite", None, 60)
        await catalogue.read()
        model = catalogue.named("lite", needs_actions=True)
        assert (model.version, model.clip_version) == ("2", "1")
        assert catalogue.detector is not None
        for _ in range(5):  # inference goes where the network is
            await server.infer("person", {"image": np.zeros((1, 288, 288, 3), np.uint8)})
        assert not tritons[0].calls
        # While two versions are there, one of them is asked.
        for _ in range(8):
            await server.infer("lite_frame", CROP, "2")
        assert asked(tritons[0]) == 8
        # One is lost: its models are not.
        tritons[1].away = Unavailable("gone")
        assert await eventually(lambda: not server.members[tritons[1].url].is_up)
        await catalogue.read()
        assert catalogue.missing() is not None  # nobody has the detector now
        assert catalogue.named("lite").ready

    on(2, scene)


def test_what_a_lost_one_alone_had_is_not_ready_and_not_unknown() -> None:
    async def scene(server: SeveralTritons, tritons: list[FakeTriton]) -> None:
        del tritons[0]._configs["person"], tritons[0]._configs["lite_frame"], tritons[0]._configs["lite_clip"]
        catalogue = Catalogue(server, "lite", None, 60)
        await catalogue.read()
        assert catalogue.named("lite").ready
        tritons[1].away = Unavailable("gone")
        assert await eventually(lambda: not server.members[tritons[1].url].is_up)
        await catalogue.read()
        with pytest.raises(Unavailable):  # not: there is no such model
            catalogue.named("lite")
        with pytest.raises(Unavailable):  # without it people would be missed
            _ = catalogue.detector
        tritons[1].away = None
        assert await eventually(lambda: server.members[tritons[1].url].is_up)
        await catalogue.read()
        assert catalogue.named("lite").ready
        assert catalogue.detector is not None

    on(2, scene)


def test_nobody_answers() -> None:
    async def scene(server: SeveralTritons, tritons: list[FakeTriton]) -> None:
        for triton in tritons:
            triton.away = Unavailable("gone")
        assert await eventually(lambda: not any(member.is_up for member in server.members.values()))
        with pytest.raises(Unavailable):
            await server.models()
        with pytest.raises(Unavailable):
            await server.infer("lite_frame", CROP)

    on(2, scene)


def test_tritons_that_have_not_been_asked_yet_are_not_told_as_lost(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(server: SeveralTritons, _: list[FakeTriton]) -> None:
        models, server.members = server.members, {}
        catalogue = Catalogue(server, "lite", None, 60)
        catalogue.start()
        await asyncio.sleep(0.05)
        server.members = models
        assert await eventually(lambda: catalogue.missing() is None)
        await catalogue.stop()

    on(2, scene)
    assert "lost" not in caplog.text


def test_addresses_come_and_go() -> None:
    class Dns(Resolver):
        present = ("127.0.0.1:8001", "127.0.0.2:8001")

        async def addresses(self) -> list[str]:
            return list(self.present)

    async def scene() -> None:
        tritons: dict[str, FakeTriton] = {}

        def client(address: str) -> Any:
            return tritons.setdefault(address, FakeTriton(address))

        dns = Dns([])
        server = SeveralTritons(dns, "triton", client)
        await server.look_up()
        dns.present = ("127.0.0.2:8001", "127.0.0.3:8001")
        await server.look_up()
        assert list(server.members) == ["127.0.0.2:8001", "127.0.0.3:8001"]
        assert await eventually(lambda: tritons["127.0.0.1:8001"].is_closed)
        await server.close()
        assert all(triton.is_closed for triton in tritons.values())

    asyncio.run(scene())


def test_one_that_leaves_while_the_service_stops_ends_nothing_else() -> None:
    async def scene() -> None:
        async with several(2) as (server, tritons):
            tritons[0].samples = 1  # it is in work, and would be waited for
            server._resolver = Resolver(["127.0.0.2:8001"])
            await server.look_up()
            await asyncio.sleep(0.01)
        assert all(triton.is_closed for triton in tritons)

    asyncio.run(scene())


def test_the_metric_of_one_that_is_back_at_its_address_stays() -> None:
    def up() -> float | None:
        return METRICS.registry.get_sample_value("deephar_triton_up", {"address": "127.0.0.1:8001"})

    async def scene(server: SeveralTritons, tritons: list[FakeTriton]) -> None:
        first = tritons[0].samples = 1
        server._resolver = Resolver(["127.0.0.2:8001"])
        await server.look_up()
        server._resolver = Resolver(["127.0.0.1:8001", "127.0.0.2:8001"])
        await server.look_up()
        tritons[0].samples -= first
        assert await eventually(lambda: tritons[0].is_closed)
        assert await eventually(lambda: up() == 1)

    on(2, scene)


def test_addresses_are_read_from_the_settings() -> None:
    settings = Settings(triton_url=" a:8001, 10.0.0.1:8001 ,")
    assert settings.triton_urls == ("a:8001", "10.0.0.1:8001")
    assert [is_name(address) for address in ("a:8001", "10.0.0.1:8001", "[::1]:8001")] == [True, False, False]


@pytest.mark.parametrize(
    ("hosts", "found"),
    [(("::1", "127.0.0.1", "127.0.0.2"), ["127.0.0.1:8001", "127.0.0.2:8001"]), (("::1",), ["[::1]:8001"])],
)
def test_a_server_that_has_addresses_of_both_families_is_one(hosts: tuple[str, ...], found: list[str]) -> None:
    async def lookup(*_: Any, **__: Any) -> list[Any]:
        return [place for host in hosts for place in socket.getaddrinfo(host, 8001, type=socket.SOCK_STREAM)]

    async def scene() -> None:
        asyncio.get_running_loop().getaddrinfo = lookup  # type: ignore[method-assign]
        assert await Resolver(["triton:8001"]).addresses() == found

    asyncio.run(scene())


def test_a_name_is_looked_up_and_kept_when_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        resolver = Resolver(["localhost:8001", "127.0.0.9:8002", "no..name:1"])
        found = await resolver.addresses()
        assert "127.0.0.1:8001" in found or "[::1]:8001" in found
        assert "127.0.0.9:8002" in found
        assert await resolver.addresses() == found

    asyncio.run(scene())
    assert caplog.text.count("no..name:1 cannot be looked up") == 1
