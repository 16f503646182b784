"""Keys of tokens from a URL: they come, change, and hold while the URL is away."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
import time

import pytest

from service.access import jwks as module
from service.access.jwks import JwksUrl, fetched
from service.errors import Unavailable
from service.testing.ports import free_loopback_port
from tests.unit.access.jwks_server import JwksServer
from tests.unit.access.made_tokens import Signer, jwks

OLD, NEW = Signer("ES256", "old"), Signer("ES256", "new")


def test_an_unknown_key_is_asked_for_once_by_all_and_not_again_at_once() -> None:
    async def run(server: JwksServer) -> None:
        keys = JwksUrl(server.url)
        found = await asyncio.gather(*(keys.key("old") for _ in range(20)))
        assert all(key is not None and key.key_id == "old" for key in found)
        assert server.asked == 1
        server.content = jwks(OLD, NEW).encode()
        assert await asyncio.gather(*(keys.key(f"made up {i}") for i in range(20))) == [None] * 20
        assert server.asked == 1
        keys._fetched_s -= module.AGAIN_S  # so much later
        assert [key is not None for key in await asyncio.gather(keys.key("new"), keys.key("new"))] == [True, True]
        assert server.asked == 2
        await keys.stop()

    with JwksServer(jwks(OLD)).running() as server:
        asyncio.run(run(server))


def test_the_last_keys_hold_and_it_is_told_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.02)
    monkeypatch.setattr(module, "REFRESH_S", 0.02)
    caplog.set_level(logging.INFO)

    async def asked(server: JwksServer, times: int) -> None:
        until = server.asked + times
        async with asyncio.timeout(10):
            while server.asked < until:
                await asyncio.sleep(0.01)

    async def run(server: JwksServer) -> None:
        keys = JwksUrl(server.url)
        keys.start()
        assert await keys.key("old") is not None
        good = server.content
        for status, content in ((500, good), (200, b"{"), (200, b'{"keys": []}'), (200, b" " * (module.LARGEST + 1))):
            server.status, server.content = status, content
            await asked(server, 3)
            assert await keys.key("old") is not None
        server.status, server.content = 200, jwks(NEW).encode()
        await asked(server, 3)
        assert await keys.key("old") is None
        assert await keys.key("new") is not None
        await keys.stop()

    with JwksServer(jwks(OLD)).running() as server:
        asyncio.run(run(server))
    assert [record.levelname for record in caplog.records if record.name == module.__name__] == ["ERROR", "INFO"]


def test_without_any_keys_yet_callers_are_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.05)
    port = free_loopback_port()

    async def run() -> None:
        keys = JwksUrl(f"http://127.0.0.1:{port}/jwks")
        keys.start()
        with pytest.raises(Unavailable, match="cannot be reached yet"):
            await keys.key("old")
        with JwksServer(jwks(OLD), port).running():
            async with asyncio.timeout(10):
                while not keys._keys:
                    await asyncio.sleep(0.02)
            assert await keys.key("old") is not None
        await keys.stop()

    asyncio.run(run())


def test_redirections_are_not_followed() -> None:
    with JwksServer(jwks(OLD)).running() as target, JwksServer("").running() as server:
        server.status, server.headers = 302, {"Location": target.url}
        with pytest.raises(OSError, match="302"):
            fetched(server.url)
        assert target.asked == 0


def test_a_server_that_drips_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FETCH_S", 0.4)
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                while not ended.wait(0.1):
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        began = time.monotonic()
        with pytest.raises(TimeoutError, match="took over"):
            fetched(f"http://127.0.0.1:{listening.getsockname()[1]}/jwks")
        assert time.monotonic() - began < 5
        ended.set()
        thread.join()


def test_only_so_many_keys_are_kept() -> None:
    many = [{**OLD.jwk, "kid": str(i)} for i in range(module.MOST_KEYS + 50)]
    assert len(module.parsed(json.dumps({"keys": many}), "there")) == module.MOST_KEYS


def test_an_unforeseen_error_does_not_end_the_refresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.02)

    def without_memory(_: str) -> bytes:
        raise RuntimeError("can't start new thread")

    async def run(server: JwksServer) -> None:
        monkeypatch.setattr(module, "fetched", without_memory)
        keys = JwksUrl(server.url)
        keys.start()
        with pytest.raises(Unavailable):
            await keys.key("old")
        monkeypatch.setattr(module, "fetched", fetched)
        async with asyncio.timeout(10):
            while not server.asked:
                await asyncio.sleep(0.01)
        assert await keys.key("old") is not None
        await keys.stop()

    with JwksServer(jwks(OLD)).running() as server:
        asyncio.run(run(server))


def test_callers_do_not_wait_for_a_name_that_is_never_found(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = threading.Event()
    monkeypatch.setattr(module, "FETCH_S", 0.05)
    monkeypatch.setattr(module, "fetched", lambda _: found.wait(10))

    async def run() -> None:
        keys = JwksUrl("https://issuer.example/jwks")
        async with asyncio.timeout(5):
            with pytest.raises(Unavailable):
                await keys.key("old")
        found.set()

    asyncio.run(run())
    assert "no answer in time" in caplog.text


def test_what_may_be_secret_in_a_url_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def run(server: JwksServer) -> None:
        server.content = b"{}"
        keys = JwksUrl(server.url.replace("http://", "http://hush@") + "?token=geheim")
        with pytest.raises(Unavailable):
            await keys.key("old")
        keys = JwksUrl(server.url + "?token=geheim")
        with pytest.raises(Unavailable):
            await keys.key("old")

    with JwksServer(jwks(OLD)).running() as server:
        asyncio.run(run(server))
    assert caplog.text.count("keys of tokens: http://127.0.0.1:") == 2
    assert "hush" not in caplog.text
    assert "geheim" not in caplog.text
