"""The connection to the service: its options, which every command has, and the client that they make."""

from __future__ import annotations

import functools
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deephar.address import Address, default_address

if TYPE_CHECKING:
    import httpx

    from deephar import Client

CONNECT_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Connection:
    """Where the service is, and who is trusted to be it."""

    address: Address
    ca: Path | None = None

    def client(self) -> Client:
        """Returns a client; the connection is made with its first call."""
        from deephar import Client

        where = self.address
        text = where.url if where.is_rest else f"grpc{'s' * where.is_encrypted}://{where.target}"
        return Client(text, api_key=api_key() or None, ca=self.ca)


def api_key() -> str:
    """Returns the key for the service. It is no option: who else is on the machine can read those."""
    return os.environ.get("DEEPHAR_API_KEY", "").strip()


def http_client(url: str, ca: Path | None) -> httpx.Client:
    """Returns an HTTP client of one server."""
    import httpx

    headers = {"Authorization": f"Bearer {api_key()}"} if api_key() else {}
    verify: ssl.SSLContext | bool = ssl.create_default_context(cafile=ca) if ca else True
    return httpx.Client(base_url=url, headers=headers, verify=verify, timeout=httpx.Timeout(CONNECT_TIMEOUT_S))


def with_connection(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates a command with the options of the connection; it is called with a `Connection` first."""

    @click.option(
        "--address",
        metavar="ADDRESS",
        help="Of the service: host:port of gRPC, or http://host:port.  [default: DEEPHAR_ADDRESS, or localhost:8081]",
    )
    @click.option("--tls", is_flag=True, help="Encrypt, as with grpcs:// or https://.")
    @click.option(
        "--ca",
        type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path),
        metavar="FILE",
        help="PEM of who signed the service's certificate; with TLS.",
    )
    @functools.wraps(command)
    def connected(address: str | None, tls: bool, ca: Path | None, **options: Any) -> Any:
        where = Address.of(address or default_address(), encrypted=tls or ca is not None)
        return command(Connection(where, ca), **options)

    return connected
