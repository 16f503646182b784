"""Callers' tokens (JWT): their signature and their claims."""

from __future__ import annotations

from pathlib import Path

import jwt
from jwt.types import Options

from service.access.jwks import JwksFile, JwksUrl
from service.errors import Unauthenticated

LEEWAY_S = 30  # by which clocks may differ
LONGEST_TOKEN = 16 * 2**10
LONGEST_SUBJECT = 256
_OPTIONS: Options = {"require": ["exp", "iss", "aud", "sub"], "verify_signature": True}


class Tokens:
    """What tells whose a token is.

    Args:
        jwks: File or URL of the keys that sign them.
        issuer: Who must have made them.
        audience: For whom they must be.

    Raises:
        UnusableFile: The file or the URL cannot be used.
    """

    def __init__(self, jwks: str, issuer: str, audience: str) -> None:
        self._issuer, self._audience = issuer, audience
        self.jwks = JwksUrl(jwks) if "://" in jwks else JwksFile(Path(jwks))

    async def subject(self, token: str) -> str:
        """Returns the `sub` of a token.

        Raises:
            Unauthenticated: The token is not taken.
            Unavailable: The keys that sign tokens are not known yet.
        """
        if len(token) > LONGEST_TOKEN:
            raise Unauthenticated(f"the token is longer than {LONGEST_TOKEN} characters; get another one")
        try:
            key_id = jwt.get_unverified_header(token).get("kid")
            key = await self.jwks.key(key_id)
            if key is None:
                raise Unauthenticated("the token is signed by a key that is not known here; get another one")
            claims = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY_S,
                options=_OPTIONS,
            )
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("the token has expired; get a new one") from None
        except (jwt.InvalidIssuerError, jwt.InvalidAudienceError):
            raise Unauthenticated("the token is by another issuer or for another service; get one for this") from None
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise Unauthenticated("the token is not valid; get a new one with exp, iss, aud and sub") from None
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
            raise Unauthenticated(f"the token's sub must be a text of at most {LONGEST_SUBJECT} characters")
        return subject
