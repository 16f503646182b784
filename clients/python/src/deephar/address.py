"""Where the service is: an address with or without a scheme."""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import dataclass
from ipaddress import ip_address

from deephar.errors import InvalidArgument

_LAST_PORT = 65535
_SCHEMES = {"grpc": False, "grpcs": True, "http": False, "https": True}
_ADDRESS = re.compile(r"(?:(?P<scheme>[a-z][a-z0-9+.-]*)://)?(?P<rest>\S+)", re.IGNORECASE)
_HOST = r"(?:\[[^\s\[\]]+\]|[^\s:/@?#\[\]]+)"  # IPv6 in brackets
_IN_GRPC = re.compile(rf"{_HOST}(?::(?P<port>\d+))?|(?:unix|unix-abstract|dns|ipv4|ipv6):\S+")
_IN_URL = re.compile(rf"(?:[^\s/?#@]*@)?{_HOST}(?::(?P<port>\d+))?(?:/[^\s?#]*)?")


def default_address() -> str:
    """Returns `DEEPHAR_ADDRESS`, or else this machine's gRPC port: `DEEPHAR_GRPC_PORT`, or 8081."""
    address = os.environ.get("DEEPHAR_ADDRESS", "").strip()
    return address or f"localhost:{os.environ.get('DEEPHAR_GRPC_PORT', '').strip() or 8081}"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service is, and how it is spoken to.

    Attributes:
        target: host:port for gRPC, or a unix socket; for REST all between the scheme and the paths of the calls.
        is_rest: Whether REST and WebSockets are spoken; otherwise gRPC.
        is_encrypted: Whether with TLS.
    """

    target: str
    is_rest: bool = False
    is_encrypted: bool = False

    @staticmethod
    def of(text: str, encrypted: bool = False) -> Address:
        """Returns the address in a text: `host:port`, `grpc://`, `grpcs://`, `http://` or `https://`.

        Args:
            text: Without a scheme gRPC is spoken.
            encrypted: TLS is wanted even if the scheme does not say so.

        Raises:
            InvalidArgument: It is none of these.
        """
        match = _ADDRESS.fullmatch(text.strip())
        scheme = (match["scheme"] or "grpc").lower() if match else ""
        is_rest = scheme.startswith("http")
        target = match["rest"].rstrip("/") if match else ""
        place = (_IN_URL if is_rest else _IN_GRPC).fullmatch(target)
        if scheme not in _SCHEMES or place is None or int(place["port"] or 0) > _LAST_PORT:
            raise InvalidArgument(
                "invalid_argument",
                f"{text!r} is no address of a service; give host:port (gRPC), or a URL with grpc://, grpcs://, http:// "
                "or https://",
            )
        is_encrypted = _SCHEMES[scheme] or encrypted
        if ":" not in target.rpartition("]")[2] and not is_rest and not is_encrypted:
            raise InvalidArgument("invalid_argument", f"{text!r} has no port; gRPC's is {target}:8081 as a rule")
        return Address(target, is_rest, is_encrypted)

    @property
    def url(self) -> str:
        """Of REST, without a slash at its end."""
        return f"http{'s' * self.is_encrypted}://{self.target}"

    @property
    def websocket_url(self) -> str:
        """Of streams over REST's port, without a slash at its end."""
        return f"ws{'s' * self.is_encrypted}://{self.target}"

    def __str__(self) -> str:
        return self.url if self.is_rest else self.target

    @property
    def is_here(self) -> bool:
        """Whether it is one of this machine alone."""
        host = self.target.partition("/")[0].rpartition("@")[2]
        host = (host.rpartition(":")[0] if re.search(r":\d+$", host) else host).strip("[]")
        try:
            return host == "localhost" or self.target.startswith("unix:") or ip_address(host).is_loopback
        except ValueError:
            return False

    def warn_of_plain_key(self, stacklevel: int) -> None:
        """Warns that a key goes to another machine where everybody on the way can read it."""
        if not self.is_encrypted and not self.is_here:
            warnings.warn(
                f"the key goes to {self} over a plain connection; use grpcs:// or https://, or give credentials",
                stacklevel=stacklevel + 1,
            )
