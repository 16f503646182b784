"""Addresses of the Tritons that the settings name; a name in the DNS may stand for several of them."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Iterable

log = logging.getLogger(__name__)


def is_name(address: str) -> bool:
    """Returns whether an address is a name, which may stand for several."""
    host, _ = _split(address)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False


class Resolver:
    """Looks names up. One that cannot be looked up at present keeps the addresses that it had.

    Args:
        addresses: As `host:port`.
    """

    def __init__(self, addresses: Iterable[str]) -> None:
        self._found: dict[str, list[str]] = {address: [] if is_name(address) else [address] for address in addresses}
        self._failed: set[str] = set()

    @property
    def has_names(self) -> bool:
        return any(is_name(address) for address in self._found)

    async def addresses(self) -> list[str]:
        """Returns the present addresses as `IP:port`, each once. Does not block: names are looked up in a thread."""
        await asyncio.gather(*(self._look_up(address) for address in self._found if is_name(address)))
        return list(dict.fromkeys(found for addresses in self._found.values() for found in addresses))

    async def _look_up(self, address: str) -> None:
        host, port = _split(address)
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:  # the latter where it is no name at all
            if address not in self._failed:
                log.warning("%s cannot be looked up: %s", address, error)
            self._failed.add(address)
            return
        self._failed.discard(address)
        # Of one family: those of the other are the same servers again, or nobody listens there.
        first = min(family for family, *_ in found)  # IPv4, where there is any
        places = {_joined(str(place[0]), int(place[1])) for family, *_, place in found if family == first}
        self._found[address] = sorted(places)


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
