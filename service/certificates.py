"""The certificate of REST and gRPC, and that of who signs those of gRPC clients. New files need no restart."""

from __future__ import annotations

import asyncio
import logging
import ssl
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from service.background import BackgroundTask
from service.errors import UnusableFile
from service.settings import Settings
from service.telemetry.metrics import METRICS
from service.watched_file import WatchedFiles

log = logging.getLogger(__name__)

SOON_S = 14 * 86_400.0  # before its end, a certificate is told of
TELL_S = 86_400.0
LOOK_S = 60.0


@dataclass(frozen=True)
class Version:
    """What the files held when they were read.

    Attributes:
        context: Of REST's connections.
        configuration: Of gRPC's; grpc has no types.
        expires: UNIX time by file.
    """

    context: ssl.SSLContext
    configuration: object
    expires: dict[Path, float]


class Certificates:
    """The certificates of a running service.

    Args:
        chain: PEM of the service's certificate and of those between it and its root.
        key: PEM of its private key.
        client_ca: PEM of who signs the certificates of gRPC clients; None: they need none.

    Raises:
        UnusableFile: The files are broken, or do not belong together.
    """

    def __init__(self, chain: Path, key: Path, client_ca: Path | None) -> None:
        self._chain, self._key, self._client_ca = chain, key, client_ca
        paths = [path for path in (chain, key, client_ca) if path is not None]
        self._given: object = None  # the configuration that gRPC has
        self._told_s: dict[Path, float] = {}
        self._files = WatchedFiles(paths, self._read, f"certificate {chain}", self._take)
        self._looking = BackgroundTask(self._look, "dates of certificates")
        if key.stat().st_mode & stat.S_IROTH:
            log.warning("%s can be read by every user of this machine; chmod o-r is advised", key)

    def start(self) -> None:
        self._files.start()
        self._looking.start()

    async def stop(self) -> None:
        await self._files.stop()
        await self._looking.stop()

    def context(self) -> ssl.SSLContext:
        """Returns the context for a server's TLS. Each handshake takes the present version of the files."""
        outer = _context(self._chain, self._key)

        def choose(handshake: ssl.SSLObject, _name: str | None, _outer: ssl.SSLContext) -> None:
            handshake.context = self._version.context

        outer.sni_callback = choose  # called without a name, too
        return outer

    def grpc_credentials(self) -> object:
        """Returns the credentials of a gRPC server, which asks for the present version at each handshake."""
        self._given = self._version.configuration
        return grpc.dynamic_ssl_server_credentials(
            self._given, self._grpc_configuration, require_client_authentication=self._client_ca is not None
        )

    def _grpc_configuration(self) -> object:
        """Returns the configuration if it is new; called in threads of gRPC, which knows None as no change."""
        present = self._version.configuration
        if present is self._given:
            return None
        self._given = present
        return present

    def _take(self, version: Version) -> None:
        self._version = version
        self._told_s.clear()
        for path, expires in version.expires.items():
            METRICS.certificate_expires_seconds.labels(str(path)).set(expires)
        self._tell()

    def _read(self) -> Version:
        chain, key = self._chain.read_bytes(), self._key.read_bytes()
        certificates = _certificates(self._chain, chain)
        try:
            private = load_pem_private_key(key, None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise UnusableFile(f"{self._key}: this is no private key in PEM without a passphrase") from None
        if private.public_key() != certificates[0].public_key():
            raise UnusableFile(f"{self._key}: this is not the key of the first certificate in {self._chain}")
        expires = {self._chain: min(_end(one) for one in certificates)}
        roots = None
        if self._client_ca is not None:
            roots = self._client_ca.read_bytes()
            expires[self._client_ca] = min(_end(one) for one in _certificates(self._client_ca, roots))
        configuration = grpc.ssl_server_certificate_configuration([(key, chain)], roots)
        return Version(_context(self._chain, self._key), configuration, expires)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self._tell()

    def _tell(self) -> None:
        """Logs certificates that expire soon or have expired, once a day each."""
        for path, expires in self._version.expires.items():
            left_s = expires - time.time()
            if left_s > SOON_S or time.monotonic() - self._told_s.get(path, -TELL_S) < TELL_S:
                continue
            if left_s > 0:
                log.warning("%s: a certificate expires in %.1f days; put a new one there", path, left_s / 86_400)
            else:
                log.error("%s: a certificate has expired; callers refuse it: put a new one there", path)
            self._told_s[path] = time.monotonic()


def certificates_of(settings: Settings) -> Certificates | None:
    """Returns the certificates that the settings name; None without TLS.

    Raises:
        UnusableFile: They are broken.
    """
    chain, key = settings.tls_certificate, settings.tls_key
    if chain is None or key is None:  # the settings have both or none
        return None
    try:
        return Certificates(chain, key, settings.grpc_client_ca)
    except OSError as error:
        raise UnusableFile(f"{error.filename}: {error.strerror}") from None


def _certificates(path: Path, pem: bytes) -> Sequence[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise UnusableFile(f"{path}: this has no certificate in PEM") from None


def _end(certificate: x509.Certificate) -> float:
    return certificate.not_valid_after_utc.timestamp()


def _context(chain: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(chain, key, password="")  # never asked for on a terminal
    except ssl.SSLError as error:
        raise UnusableFile(f"{chain}, {key}: {error.reason}") from None
    return context
