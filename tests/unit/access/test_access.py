"""Who may come in, and what is told of those who may not."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from service.access import access as module
from service.access.access import Access, Credentials
from service.access.keys import new_key, read_keys
from service.access.limits import Caller
from service.errors import Unauthenticated, UnusableFile
from service.settings import Settings
from service.telemetry.metrics import METRICS
from tests.unit.access.made_tokens import AUDIENCE, ISSUER, Signer, jwks

SIGNER = Signer("ES256", "one")


def made(folder: Path, with_tokens: bool = True, **settings: object) -> tuple[Access, str]:
    key, entry = new_key("camera-7")
    (folder / "keys.toml").write_text(entry)
    (folder / "jwks").write_text(jwks(SIGNER))
    chosen: dict[str, object] = {"keys": folder / "keys.toml", **settings}
    if with_tokens:
        chosen |= {"jwt_jwks": str(folder / "jwks"), "jwt_issuer": ISSUER, "jwt_audience": AUDIENCE}
    return Access(Settings.model_validate(chosen)), key


def name(access: Access, authorization: str | None = None, api_key: str | None = None) -> str:
    return asyncio.run(access.authenticate(Credentials(authorization, api_key))).name


def test_keys_and_tokens_are_taken_from_both_headers(tmp_path: Path) -> None:
    access, key = made(tmp_path)
    for authorization, api_key in ((f"Bearer {key}", None), (f"bearer  {key} ", "x"), (None, key), ("Basic eA==", key)):
        assert name(access, authorization, api_key) == "camera-7"
    assert name(access, f"Bearer {SIGNER.token()}") == "someone"


@pytest.mark.parametrize(
    "sent", [None, "", "Bearer", "Bearer ", "Bearer a b", "Basic x", "dh_x", "Bearer dh_x", "Bearer a.b.c"]
)
def test_others_are_refused(tmp_path: Path, sent: str | None) -> None:
    access, _ = made(tmp_path)
    with pytest.raises(Unauthenticated):
        name(access, sent)


def test_without_keys_and_tokens_it_is_open() -> None:
    assert Access(Settings()).is_open


def test_names_of_subjects_cannot_forge_lines(tmp_path: Path) -> None:
    access, _ = made(tmp_path)
    token = SIGNER.token(sub="a\nb\x1b[31m é")
    assert name(access, f"Bearer {token}") == "a?b?[31m??"
    assert len(name(access, f"Bearer {SIGNER.token(sub='x' * 200)}")) == 80


def test_subjects_have_limits_of_their_own_and_only_so_many_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_SUBJECTS", 3)
    access, _ = made(tmp_path, key_concurrency=1)

    async def run() -> None:
        async def of(subject: str) -> Caller:
            return await access.authenticate(Credentials(f"Bearer {SIGNER.token(sub=subject)}"))

        busy = await of("busy")
        with busy.enter("request"):
            for number in range(20):
                await of(f"s{number}")
            assert await of("busy") is busy
            assert len(access._subjects) == 3
        assert await of("s1") is await of("s1")

    asyncio.run(run())


def test_a_new_file_keeps_counts_and_drops_callers(tmp_path: Path) -> None:
    access, key = made(tmp_path, with_tokens=False, key_concurrency=1)
    assert access._files is not None

    async def run() -> None:
        caller = await access.authenticate(Credentials(api_key=key))
        other, entry = new_key("other")
        (tmp_path / "keys.toml").write_text((tmp_path / "keys.toml").read_text() + entry)
        access._take(read_keys(tmp_path / "keys.toml", access._limits))
        assert await access.authenticate(Credentials(api_key=key)) is caller
        (tmp_path / "keys.toml").write_text(entry)
        with caller.enter("stream"):
            access._take(read_keys(tmp_path / "keys.toml", access._limits))
            with pytest.raises(Unauthenticated):
                await access.authenticate(Credentials(api_key=key))
        assert (await access.authenticate(Credentials(api_key=other))).name == "other"

    asyncio.run(run())


def test_refused_callers_are_counted_and_told_without_what_they_sent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    access, key = made(tmp_path)
    counted = METRICS.refused.labels("unauthenticated")
    before = counted._value.get()
    caplog.set_level(logging.DEBUG)
    for number in range(50):
        with pytest.raises(Unauthenticated):
            name(access, f"Bearer {key}{number}")
    assert counted._value.get() - before == 50
    lines = [record.getMessage() for record in caplog.records if record.name == module.__name__]
    assert 1 <= len(lines) <= 10
    assert key[:10] not in "".join(lines)
    assert key not in repr(Credentials(f"Bearer {key}", key))


@pytest.mark.parametrize("rate", ["often", "600", "0/minute", "-1/second", "10/second;600/hour", "20000/second"])
def test_a_wrong_rate_ends_the_start(rate: str) -> None:
    with pytest.raises(UnusableFile, match="DEEPHAR_KEY_RATE: rate must "):
        Access(Settings(key_rate=rate))
