"""The errors of the client: one class for each stable code, which REST and gRPC share."""

from __future__ import annotations

from typing import ClassVar


class DeepharError(Exception):
    """A call failed. The text says what is wrong and what to do.

    Attributes:
        code: The stable code, as in the service's documentation: `invalid_image`, `overloaded`, ...
        detail: The service's text.
        retry_after_s: After how many seconds trying again helps, where the service says so.
    """

    _classes: ClassVar[dict[str, type[DeepharError]]] = {}

    def __init__(self, code: str, detail: str, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.code, self.detail, self.retry_after_s = code, detail, retry_after_s

    def __init_subclass__(cls, code: str) -> None:
        cls._classes[code] = cls

    def __reduce__(self) -> tuple[type[DeepharError], tuple[str, str, float | None]]:
        return type(self), (self.code, self.detail, self.retry_after_s)

    @staticmethod
    def of(code: str, detail: str, retry_after_s: float | None = None) -> DeepharError:
        """Returns the error of a code; of a code that this client does not know, a plain `DeepharError`."""
        return DeepharError._classes.get(code, DeepharError)(code, detail, retry_after_s)


class MissingExtra(ImportError):
    """A library that only some calls need is not installed. The text says what to install."""


class InvalidArgument(DeepharError, code="invalid_argument"):
    """An option is wrong."""


class InvalidImage(DeepharError, code="invalid_image"):
    """The picture cannot be read."""


class InvalidVideo(DeepharError, code="invalid_video"):
    """The video cannot be read."""


class UnsupportedMediaType(DeepharError, code="unsupported_media_type"):
    """This kind of file is not supported."""


class NotAcceptable(DeepharError, code="not_acceptable"):
    """The answer has none of the types that were asked for."""


class PayloadTooLarge(DeepharError, code="payload_too_large"):
    """Too many bytes, pixels or seconds."""


class HeadersTooLarge(DeepharError, code="headers_too_large"):
    """Too many bytes of headers."""


class RequestTimeout(DeepharError, code="request_timeout"):
    """The request was sent, or its answer read, too slowly."""


class Unauthenticated(DeepharError, code="unauthenticated"):
    """There is no key or token, or one that is not taken."""


class PermissionDenied(DeepharError, code="permission_denied"):
    """The service does not allow this."""


class UnknownModel(DeepharError, code="unknown_model"):
    """There is no model of this name."""


class Overloaded(DeepharError, code="overloaded"):
    """Too much is in work, or more than this key may send."""


class Unavailable(DeepharError, code="unavailable"):
    """The service is there and cannot answer at present: a model is not ready, or it stops."""


class DeadlineExceeded(DeepharError, code="deadline_exceeded"):
    """The answer was not there in time."""


class Internal(DeepharError, code="internal"):
    """A fault of the service; the cause is in its log."""


class Closed(DeepharError, code="closed"):
    """The client was closed, meanwhile or before."""

    def __init__(self, code: str = "closed", detail: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(code, detail or "the client was closed; make another one", retry_after_s)


class Unreachable(DeepharError, code="unreachable"):
    """Nobody answers at the address. The text says how to start a service, or where to point."""
