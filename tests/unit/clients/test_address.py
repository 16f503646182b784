"""Addresses of a service, and what is said of errors there."""

from __future__ import annotations

import pickle

import pytest
from deephar import Client
from deephar.address import Address, default_address
from deephar.errors import DeepharError, InvalidArgument, InvalidImage, Overloaded, Unavailable, Unreachable
from deephar.retries import Retries


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("localhost:8081", Address("localhost:8081")),
        ("unix:/tmp/x", Address("unix:/tmp/x")),
        ("grpc://h:1", Address("h:1")),
        ("grpcs://h:1/", Address("h:1", is_encrypted=True)),
        (" HTTP://h:8080/pose/ ", Address("h:8080/pose", is_rest=True)),
        ("https://[::1]:1", Address("[::1]:1", is_rest=True, is_encrypted=True)),
    ],
)
def test_the_scheme_says_how(text: str, address: Address) -> None:
    assert Address.of(text) == address


@pytest.mark.parametrize(
    "text",
    ["", "ftp://h", "h h", "http://", "grpc://h:1/path", "h:99999", "https://h:99999", "me@h:1", "::1", "http://h?x"],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(InvalidArgument, match="grpc://"):
        Address.of(text)


def test_grpc_needs_a_port() -> None:
    with pytest.raises(InvalidArgument, match="localhost:8081"):
        Address.of("localhost")
    assert Address.of("grpcs://pose.example").target == "pose.example"


def test_urls() -> None:
    assert Address.of("https://h/a").url == "https://h/a"
    assert Address.of("https://h/a").websocket_url == "wss://h/a"
    assert Address.of("http://h:8080").websocket_url == "ws://h:8080"


def test_the_environment_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEEPHAR_ADDRESS", raising=False)
    monkeypatch.delenv("DEEPHAR_GRPC_PORT", raising=False)
    assert default_address() == "localhost:8081"
    monkeypatch.setenv("DEEPHAR_GRPC_PORT", "9001")
    assert default_address() == "localhost:9001"
    monkeypatch.setenv("DEEPHAR_ADDRESS", "https://pose.example")
    assert default_address() == "https://pose.example"


def test_credentials_are_of_grpc() -> None:
    with pytest.raises(InvalidArgument, match="give ca"):
        Client("https://localhost:9", credentials=object())


def test_errors_by_code() -> None:
    error = DeepharError.of("invalid_image", "no picture")
    assert (type(error), error.code, str(error), error.retry_after_s) == (
        InvalidImage,
        "invalid_image",
        "no picture",
        None,
    )
    assert type(DeepharError.of("of_2030", "x")) is DeepharError
    copied = pickle.loads(pickle.dumps(Overloaded("overloaded", "busy", 3.0)))
    assert (type(copied), copied.detail, copied.retry_after_s) == (Overloaded, "busy", 3.0)


def test_what_is_tried_again() -> None:
    busy = Overloaded("overloaded", "busy", 2.0)
    retries = Retries(60.0, 3)
    pauses = [
        retries.pause_s(error) for error in (busy, Unreachable("unreachable", ""), Unavailable("unavailable", ""))
    ]
    assert pauses[0] is not None
    assert 2.0 <= pauses[0] <= 3.0
    assert all(pause is not None and 0 < pause < 1 for pause in pauses[1:])
    assert retries.pause_s(busy) is None, "three times at most"


def test_what_is_not_tried_again() -> None:
    assert Retries(60.0, 3).pause_s(InvalidImage("invalid_image", "")) is None
    assert Retries(1.0, 3).pause_s(Overloaded("overloaded", "", 30.0)) is None, "not within the time"
    assert Retries(60.0, 0).pause_s(Unavailable("unavailable", "")) is None
