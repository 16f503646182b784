"""Who may use the service, and how much of it."""

from __future__ import annotations

import logging
import re
import time
from collections import OrderedDict
from dataclasses import dataclass

from service.access.keys import Keys, read_keys
from service.access.limits import Caller, CallerLimits, rate_of
from service.access.tokens import Tokens
from service.errors import DeepharError, PermissionDenied, Unauthenticated, UnusableFile
from service.settings import Settings
from service.telemetry.metrics import METRICS
from service.telemetry.request import observed
from service.watched_file import WatchedFiles

log = logging.getLogger(__name__)

MOST_SUBJECTS = 1000  # of tokens whose requests are remembered for their limits
TELL_S = 1.0  # between two lines on refused callers
_UNSHOWN = re.compile(r"[^!-~]")  # all but ASCII that can be seen
_BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)


@dataclass(frozen=True)
class Credentials:
    """What a request says of its caller, as headers or metadata. It is shown nowhere.

    Attributes:
        authorization: `Authorization`: `Bearer` and a key or a token.
        api_key: `X-API-Key`.
    """

    authorization: str | None = None
    api_key: str | None = None

    def __repr__(self) -> str:
        return "Credentials(...)"

    def presented(self) -> str | None:
        """Returns the key or token."""
        bearer = _BEARER.fullmatch(self.authorization.strip()) if self.authorization else None
        return bearer[1] if bearer else self.api_key


class Access:
    """Tells callers by their keys and tokens. Without any of both in the settings everybody may come in.

    Raises:
        UnusableFile: A file of the settings is broken, or a setting of keys and tokens is wrong.
    """

    def __init__(self, settings: Settings) -> None:
        try:
            rate = rate_of(settings.key_rate)
        except ValueError as error:
            raise UnusableFile(f"DEEPHAR_KEY_RATE: {error}") from None
        self._limits = CallerLimits(rate, settings.key_concurrency, settings.key_streams)
        self._keys = Keys({}, {})
        self._callers: dict[str, Caller] = {}  # by the name of their key
        self._subjects: OrderedDict[str, Caller] = OrderedDict()  # of tokens, the latest last
        self._files: WatchedFiles[Keys] | None = None
        if (path := settings.keys) is not None:
            self._files = WatchedFiles([path], lambda: read_keys(path, self._limits), str(path), self._take)
        self._tokens = (
            Tokens(settings.jwt_jwks, settings.jwt_issuer, settings.jwt_audience) if settings.jwt_jwks else None
        )
        self._refused, self._told_s = 0, -TELL_S

    @property
    def is_open(self) -> bool:
        """Whether callers need neither key nor token."""
        return self._files is None and self._tokens is None

    def start(self) -> None:
        if self._files is not None:
            self._files.start()
        if self._tokens is not None:
            self._tokens.jwks.start()

    async def stop(self) -> None:
        if self._files is not None:
            await self._files.stop()
        if self._tokens is not None:
            await self._tokens.jwks.stop()

    async def authenticate(self, credentials: Credentials) -> Caller:
        """Returns who sent a request, and tells it to who observes the request.

        Raises:
            Unauthenticated: It has no key or token, or one that is not taken.
            Unavailable: The keys that sign tokens are not known yet.
        """
        try:
            caller = await self._caller(credentials.presented())
        except DeepharError as error:
            self.tell_refused(error)
            raise
        if (request := observed()) is not None:
            request.caller = caller.name
        return caller

    def tell_refused(self, error: DeepharError) -> None:
        """Counts a caller who may not come in; logs it, at most once a second for all of them."""
        if not isinstance(error, Unauthenticated | PermissionDenied):
            return
        METRICS.refused.labels(error.code).inc()
        self._refused += 1
        if (now := time.monotonic()) - self._told_s >= TELL_S:
            log.info("%d refused, the last one: %s", self._refused, error)
            self._refused, self._told_s = 0, now

    async def _caller(self, presented: str | None) -> Caller:
        if not presented:
            raise Unauthenticated("send a key or a token, as Authorization: Bearer ... or X-API-Key")
        if self._tokens is not None and presented.count(".") == 2:
            return self._of_subject(await self._tokens.subject(presented))
        name = self._keys.caller_of(presented)
        if name is None:
            raise Unauthenticated("this key is not known here; ask who runs this service for one")
        return self._callers[name]

    def _of_subject(self, subject: str) -> Caller:
        caller = self._subjects.get(subject)
        if caller is None:
            if len(self._subjects) >= MOST_SUBJECTS:
                idle = next((name for name, known in self._subjects.items() if known.is_idle), None)
                if idle is not None:
                    del self._subjects[idle]
            caller = self._subjects[subject] = Caller(_UNSHOWN.sub("?", subject)[:80], self._limits)
        self._subjects.move_to_end(subject)
        return caller

    def _take(self, keys: Keys) -> None:
        """Uses a new version of the keys. Requests in work go on, also those of keys that are gone."""
        callers = {}
        for name, limits in keys.limits.items():
            callers[name] = caller = self._callers.get(name) or Caller(name, limits)
            caller.limit(limits)
        self._keys, self._callers = keys, callers
