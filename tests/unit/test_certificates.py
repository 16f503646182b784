"""Certificates: they are checked together, replaced without a restart, and told of before they expire."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from service import certificates as module
from service.certificates import Certificates, certificates_of
from service.errors import UnusableFile
from service.settings import Settings
from service.telemetry.metrics import METRICS

AUTHORITY = trustme.CA()


def written(folder: Path, days: float = 90.0, authority: trustme.CA = AUTHORITY) -> tuple[Path, Path]:
    """Writes a chain and its key."""
    made = authority.issue_cert("127.0.0.1", "localhost", not_after=datetime.now(UTC) + timedelta(days=days))
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(b"".join(pem.bytes() for pem in made.cert_chain_pems))
    made.private_key_pem.write_to_path(str(key))
    key.chmod(0o600)
    return chain, key


def shown(context: ssl.SSLContext, version: ssl.TLSVersion | None = None, name: str | None = None) -> int:
    """The serial number of the certificate that a server with this context shows."""
    client = ssl.create_default_context()
    AUTHORITY.configure_trust(client)
    if version:
        client.maximum_version = version
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with theirs:
            try:
                context.wrap_socket(theirs, server_side=True).close()
            except (ssl.SSLError, OSError):
                return

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(ours, server_hostname=name or "127.0.0.1") as connection:
            serial = connection.getpeercert()
            assert serial is not None
            return int(str(serial["serialNumber"]), 16)
    finally:
        ours.close()
        thread.join()


def test_new_files_are_shown_and_broken_ones_are_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    chain, key = written(tmp_path)
    certificates = Certificates(chain, key, None)
    context = certificates.context()
    first = shown(context)
    assert first == shown(context, name="localhost") == shown(context, ssl.TLSVersion.TLSv1_2)

    async def looked() -> None:
        for _ in range(3):
            await certificates._files._look()

    written(tmp_path)
    asyncio.run(looked())
    second = shown(context)
    assert second != first

    good = key.read_bytes()
    for content in (b"", good[: len(good) // 2], AUTHORITY.issue_cert("x").private_key_pem.bytes()):
        key.write_bytes(content)
        asyncio.run(looked())
        assert shown(context) == second
    told = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert len(told) == 3
    assert all("the last one holds" in line for line in told)
    assert "is not the key of" in told[2]
    assert certificates._grpc_configuration() is not None  # the second version
    assert certificates._grpc_configuration() is None  # no change since


def test_old_tls_is_refused(tmp_path: Path) -> None:
    context = Certificates(*written(tmp_path), None).context()
    with pytest.warns(DeprecationWarning, match="TLSv1_1"), pytest.raises((ssl.SSLError, ConnectionError)):
        shown(context, ssl.TLSVersion.TLSv1_1)


@pytest.mark.parametrize(
    ("days", "level", "says"), [(30, None, ""), (13, "WARNING", "expires in 13"), (-1, "ERROR", "has expired")]
)
def test_the_end_of_a_certificate_is_told_once_a_day(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, days: float, level: str | None, says: str
) -> None:
    chain, key = written(tmp_path, days + 0.01)
    certificates = Certificates(chain, key, None)
    for _ in range(3):
        certificates._tell()
    lines = [(record.levelname, record.message) for record in caplog.records]
    assert [name for name, _ in lines] == ([level] if level else [])
    assert all(says in text for _, text in lines)
    expires = METRICS.certificate_expires_seconds.labels(str(chain))._value.get()
    assert abs(expires - time.time() - (days + 0.01) * 86_400) < 60
    if level:
        certificates._told_s = {path: moment - module.TELL_S for path, moment in certificates._told_s.items()}
        certificates._tell()
        assert len(caplog.records) == 2


def test_a_key_that_everybody_reads_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    chain, key = written(tmp_path)
    key.chmod(0o644)
    Certificates(chain, key, None)
    assert "can be read by every user" in caplog.text


def test_broken_files_end_the_start(tmp_path: Path) -> None:
    chain, key = written(tmp_path)
    empty, encrypted = tmp_path / "empty", tmp_path / "encrypted"
    empty.write_bytes(b"")
    encrypted.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
    for arguments, says in (
        ((empty, key, None), "no certificate in PEM"),
        ((chain, empty, None), "no private key in PEM"),
        ((chain, encrypted, None), "no private key in PEM"),
        ((chain, key, empty), "no certificate in PEM"),
        ((chain, tmp_path / "none", None), "No such file"),
    ):
        with pytest.raises(UnusableFile, match=says):
            Certificates(*arguments)


def test_without_settings_there_is_no_tls(tmp_path: Path) -> None:
    chain, key = written(tmp_path)
    assert certificates_of(Settings()) is None
    assert certificates_of(Settings(tls_certificate=chain, tls_key=key)) is not None
