"""Tokens: good ones, and what forgers try."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import HMACAlgorithm

from service.access.tokens import LONGEST_TOKEN, Tokens
from service.errors import Unauthenticated, UnusableFile
from tests.unit.access.made_tokens import AUDIENCE, ISSUER, Signer, jwks

SIGNERS = [Signer("RS256", "rsa"), Signer("ES256", "ec"), Signer("EdDSA", "ed")]
RSA = SIGNERS[0]
STRANGER = Signer("RS256", "rsa")


def of(folder: Path, text: str = jwks(*SIGNERS)) -> Tokens:
    (folder / "jwks.json").write_text(text)
    return Tokens(str(folder / "jwks.json"), ISSUER, AUDIENCE)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    return of(tmp_path_factory.mktemp("jwks"))


def subject(tokens: Tokens, token: str) -> str:
    return asyncio.run(tokens.subject(token))


@pytest.mark.parametrize("signer", SIGNERS, ids=lambda signer: signer.algorithm)
def test_tokens_of_each_kind_of_key_are_taken(tokens: Tokens, signer: Signer) -> None:
    assert subject(tokens, signer.token(aud=["others", AUDIENCE])) == "someone"
    assert subject(tokens, signer.token(exp=time.time() - 20)) == "someone"  # clocks may differ


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({"exp": time.time() - 60}, "has expired"),
        ({"exp": None}, "not valid"),
        ({"exp": "tomorrow"}, "not valid"),
        ({"nbf": time.time() + 600}, "not valid"),
        ({"iss": "https://another.example"}, "another issuer"),
        ({"iss": None}, "not valid"),
        ({"aud": "another"}, "another issuer"),
        ({"aud": None}, "not valid"),
        ({"sub": None}, "not valid"),
        ({"sub": ""}, "sub must be"),
        ({"sub": "x" * 257}, "sub must be"),
    ],
)
def test_claims_must_be_right(tokens: Tokens, claims: dict[str, Any], says: str) -> None:
    with pytest.raises(Unauthenticated, match=says):
        subject(tokens, RSA.token(**claims))


def part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def forged() -> dict[str, str]:
    public = RSA.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head, body, signature = RSA.token().split(".")
    with_public = part({"alg": "HS256", "kid": "rsa", "typ": "JWT"}), part(Signer.claims())
    hashed = HMACAlgorithm(HMACAlgorithm.SHA256)
    digest = hashed.sign(".".join(with_public).encode(), public)
    return {
        "none": f"{part({'alg': 'none', 'kid': 'rsa'})}.{body}.",
        "no signature": f"{head}.{body}.",
        "another's signature": f"{head}.{body}.{STRANGER.token().split('.')[2]}",
        "changed claims": f"{head}.{part(Signer.claims(sub='admin'))}.{signature}",
        "HS256 with the public key": ".".join((*with_public, base64.urlsafe_b64encode(digest).decode().rstrip("="))),
        "another algorithm of the key": jwt.encode(Signer.claims(), RSA.private, "RS512", {"kid": "rsa"}),
        "a stranger's key": STRANGER.token(),
        "a key in the token": STRANGER.token(headers={"kid": "rsa", "jwk": STRANGER.jwk}),
        "unknown key": STRANGER.token(headers={"kid": "other"}),
        "no key named": RSA.token(headers={"x": "y"}),
        "key of another kind": RSA.token(headers={"kid": "ed"}),
        "kid that is no text": f"{part({'alg': 'RS256', 'kid': ['rsa']})}.{body}.{signature}",
        "unknown crit": jwt.encode(Signer.claims(), RSA.private, "RS256", {"kid": "rsa", "crit": ["x"], "x": 1}),
        "deep": f"{part({'alg': 'RS256', 'kid': 'rsa'})}.{base64.urlsafe_b64encode(b'[' * 9000).decode()}.{signature}",
        "long": RSA.token(x="y" * LONGEST_TOKEN),
    }


@pytest.mark.parametrize("name", list(forged()))
def test_forged_tokens_are_refused(tokens: Tokens, name: str) -> None:
    token = forged()[name]
    with pytest.raises(Unauthenticated) as raised:
        subject(tokens, token)
    assert token.split(".")[1][:20] not in str(raised.value)


@given(st.text(max_size=200) | st.from_regex(r"[\w-]{0,40}\.[\w-]{0,40}\.[\w-]{0,40}", fullmatch=True))
def test_anything_else_is_no_token(tokens: Tokens, text: str) -> None:
    with pytest.raises(Unauthenticated):
        subject(tokens, text)


def test_secret_and_weak_keys_and_those_for_encryption_are_not_used(tmp_path: Path) -> None:
    secret = base64.urlsafe_b64encode(b"s" * 64).decode().rstrip("=")
    oct_key = {"kty": "oct", "k": secret, "kid": "oct", "alg": "HS256"}
    encrypting = {**SIGNERS[1].jwk, "use": "enc", "kid": "enc"}
    tokens = of(tmp_path, json.dumps({"keys": [oct_key, encrypting, "?", {"kty": "RSA"}, RSA.jwk]}))
    assert subject(tokens, RSA.token()) == "someone"
    assert subject(tokens, RSA.token(headers={"x": "y"})) == "someone"  # of the only key
    for token in (jwt.encode(Signer.claims(), b"s" * 64, "HS256", {"kid": "oct"}), SIGNERS[1].token({"kid": "enc"})):
        with pytest.raises(Unauthenticated):
            subject(tokens, token)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"keys": {}}', '{"keys": []}', '{"keys": [{"kty": "oct", "k": "eA"}]}']
)
def test_a_file_without_usable_keys_ends_the_start(tmp_path: Path, text: str) -> None:
    with pytest.raises(UnusableFile, match=r"jwks\.json"):
        of(tmp_path, text)


def test_keys_come_from_files_and_safe_urls_alone(tmp_path: Path) -> None:
    for url in (
        "http://issuer.example/jwks",
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "http://10.0.0.1/x",
        "https+x://a",
    ):
        with pytest.raises(UnusableFile, match="https://"):
            Tokens(url, ISSUER, AUDIENCE)
    Tokens("http://[::1]:9/x", ISSUER, AUDIENCE)
    with pytest.raises(UnusableFile, match="No such file"):
        Tokens(str(tmp_path / "none"), ISSUER, AUDIENCE)
