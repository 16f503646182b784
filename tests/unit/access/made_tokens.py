"""Keys that sign tokens, and tokens as issuers and forgers make them."""

from __future__ import annotations

import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ISSUER, AUDIENCE = "https://issuer.example", "deephar"


class Signer:
    """A key pair of one algorithm."""

    def __init__(self, algorithm: str, key_id: str) -> None:
        self.algorithm, self.key_id = algorithm, key_id
        kind: Any
        if algorithm.startswith("RS"):
            self.private: Any = rsa.generate_private_key(65537, 2048)
            kind = RSAAlgorithm
        elif algorithm.startswith("ES"):
            self.private = ec.generate_private_key(ec.SECP256R1())
            kind = ECAlgorithm
        else:
            self.private = ed25519.Ed25519PrivateKey.generate()
            kind = OKPAlgorithm
        self.jwk: dict[str, Any] = {**json.loads(kind.to_jwk(self.private.public_key())), "kid": key_id}

    def token(self, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        return jwt.encode(self.claims(**claims), self.private, self.algorithm, headers or {"kid": self.key_id})

    @staticmethod
    def claims(**changed: Any) -> dict[str, Any]:
        """Good claims; None leaves one out."""
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "someone", "exp": time.time() + 600, **changed}
        return {name: value for name, value in claims.items() if value is not None}


def jwks(*signers: Signer) -> str:
    return json.dumps({"keys": [signer.jwk for signer in signers]})
