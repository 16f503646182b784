"""What is said where nobody answers."""

from __future__ import annotations

from deephar.address import Address
from deephar.errors import Unreachable


def unreachable(address: Address, why: str) -> Unreachable:
    """Returns the error that says how to start a service, or where to point.

    Args:
        address: That does not answer.
        why: What the transport says.
    """
    return Unreachable(
        "unreachable",
        f"no service can be reached at {address} ({why.strip().rstrip('.')}); start one with `make serve` or "
        "`docker compose up`, or say where it is (DEEPHAR_ADDRESS, --address, or the client's address)",
    )
