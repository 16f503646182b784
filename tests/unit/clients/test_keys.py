"""Keys of the client: where they go over a plain connection there is a warning."""

from __future__ import annotations

import warnings
from pathlib import Path

import grpc
import pytest
from deephar import Client


@pytest.mark.parametrize("address", ["localhost:8081", "127.0.0.1:1", "[::1]:8081", "unix:/tmp/x"])
def test_a_key_to_this_machine_needs_no_tls(address: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Client(address, api_key="dh_x").close()


@pytest.mark.parametrize("address", ["pose.example:8081", "10.0.0.1:8081", "localhost.example:1", "[2001:db8::1]:8081"])
def test_a_key_to_another_machine_is_warned_of_without_tls(address: str) -> None:
    with pytest.warns(UserWarning, match="plain connection") as warned:
        Client(address, api_key="dh_secret").close()
    assert "dh_secret" not in str(warned[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Client(address).close()
        Client(address, api_key="dh_secret", credentials=grpc.ssl_channel_credentials()).close()


def test_an_authority_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Client("localhost:9", ca=tmp_path / "none")
