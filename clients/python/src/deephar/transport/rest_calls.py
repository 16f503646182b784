"""What the synchronous and the asynchronous transport over REST share: requests, answers, errors, messages."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import httpx
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from deephar.address import Address
from deephar.errors import DeadlineExceeded, DeepharError, InvalidArgument, InvalidVideo, Unavailable, Unreachable
from deephar.events import event_from_dict
from deephar.frames import NS, Flush, Frame, pixels_of
from deephar.inputs import encoded
from deephar.options import PoseOptions, VideoOptions
from deephar.results import ActionsAnswer, Json, Model, PoseAnswer, Segment
from deephar.transport import Connecting, Message
from deephar.transport.unreachable import unreachable

MODELS, POSE, ACTIONS, STREAM = "/v1/models", "/v1/pose", "/v1/actions", "/v1/stream"
LARGEST_MESSAGE = 64 * 2**20  # bytes of an event; with many people and joints still far less
# frame_id (uint64), timestamp_ns (int64), width and height (uint32) of raw RGB; both 0 before an encoded picture.
_HEADER = struct.Struct(">QqII")
_BETWEEN = (502, 503, 504)  # what proxies say where the service is away
# What a WebSocket raises that cannot be opened; its connection may be lost at any step.
NOT_OPENED = (OSError, InvalidHandshake, ConnectionClosed, EOFError)
SHORTEST_S = 0.001  # that is left of a time limit
_CHUNK = 2**18  # bytes of a file that are read at once


@dataclass(frozen=True, slots=True)
class Question:
    """A request, but for where it goes and how long it may take."""

    method: str
    path: str
    query: Mapping[str, str]
    content: bytes | None = None
    file: Path | None = None  # instead of content
    pictures: tuple[bytes, ...] = ()  # instead of both: the frames of a clip


def headers_of(connecting: Connecting) -> dict[str, str]:
    return {"Authorization": f"Bearer {connecting.api_key}"} if connecting.api_key else {}


def verification(connecting: Connecting) -> Any:
    """Returns whom to trust, as httpx and websockets take it."""
    import ssl

    try:
        return ssl.create_default_context(cadata=None if connecting.ca is None else connecting.ca.decode())
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise InvalidArgument("invalid_argument", f"ca has no certificate in it that can be read: {error}") from error


def options_of(question: Question, timeout_s: float) -> Json:
    """Returns the arguments of httpx for a question without a file."""
    headers = {"X-Request-Timeout": f"{timeout_s:.3f}"}
    sent: Json = {"params": dict(question.query), "timeout": timeout_s, "headers": headers}
    if question.pictures:
        sent["files"] = [("frames", ("frame", picture, "application/octet-stream")) for picture in question.pictures]
    elif question.content is not None or question.file is not None:
        headers["Content-Type"] = "application/octet-stream"
        sent["content"] = question.content
    return sent


def socket_options(address: Address, tls: Any, headers: Mapping[str, str], connect_timeout_s: float) -> Json:
    """Returns the arguments of websockets for a connection to `/v1/stream`."""
    return {
        "uri": address.websocket_url + STREAM,
        "ssl": tls,
        "additional_headers": headers,
        "compression": None,  # pictures are compressed already
        "open_timeout": connect_timeout_s,
        "close_timeout": 1,
        "max_size": LARGEST_MESSAGE,
    }


def models_question() -> Question:
    return Question("GET", MODELS, {})


def models_of(document: Json) -> list[Model]:
    return [Model.from_dict(model) for model in (*document.get("models", ()), *document.get("incomplete", ()))]


def pose_question(picture: bytes, options: PoseOptions) -> Question:
    return Question("POST", POSE, options.to_query(), picture)


def pose_of(document: Json) -> PoseAnswer:
    return PoseAnswer.from_dict(document)


def file_question(file: Path, options: VideoOptions) -> Question:
    return Question("POST", ACTIONS, options.to_query(), file=file)


class FramesQuestion:
    """A clip that is sent as its frames. REST counts time from the first one."""

    def __init__(self, options: VideoOptions) -> None:
        self._options = options
        self._times_ns: list[int] = []
        self._pictures: list[bytes] = []
        self._is_left = False

    def add(self, item: Frame | Flush) -> None:
        """Takes a frame; a flush says nothing here."""
        if isinstance(item, Frame):
            self._pictures.append(encoded(item.picture))  # at once: whoever gives pixels may use the array again
            self._times_ns.append(item.time_ns)

    def add_all(self, items: Iterable[Frame | Flush]) -> None:
        """Takes frames until there are no more, or nobody waits for them."""
        for item in items:
            if self._is_left:
                return
            self.add(item)

    def leave(self) -> None:
        """Says that nobody waits for the frames any longer."""
        self._is_left = True

    @property
    def question(self) -> Question:
        """What is asked, after all frames.

        Raises:
            InvalidVideo: There are none.
        """
        if not self._times_ns:
            raise InvalidVideo("invalid_video", "no frames were sent; send at least one")
        times_ms = [(time_ns - self._times_ns[0]) / 1e6 for time_ns in self._times_ns]
        query = self._options.to_query() | {"timestamps_ms": json.dumps(times_ms)}
        return Question("POST", ACTIONS, query, pictures=tuple(self._pictures))

    def answer(self, document: Json) -> ActionsAnswer:
        """Returns the answer, with the caller's times."""
        answer = ActionsAnswer.from_dict(document)
        first_s = self._times_ns[0] / NS
        moved: tuple[Segment, ...] = tuple(
            replace(segment, start_s=segment.start_s + first_s, end_s=segment.end_s + first_s)
            for segment in answer.segments
        )
        return replace(answer, segments=moved) if first_s else answer


def document_of(response: httpx.Response, body: bytes) -> Json:
    """Returns the JSON of an answer.

    Raises:
        DeepharError: It is a problem, or no JSON.
    """
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if response.status_code == 200 and isinstance(document, dict):
        return document
    raise problem(response.status_code, document, response.headers)


def problem(status: int, document: Any, headers: Mapping[str, str]) -> DeepharError:
    """Returns the error of problem details, or of what something between here and the service has answered."""
    retry_after = headers.get("Retry-After", "")
    retry_after_s = float(retry_after) if retry_after.isdigit() else None
    if isinstance(document, dict) and isinstance(document.get("code"), str):
        return DeepharError.of(document["code"], str(document.get("detail", "")), retry_after_s)
    detail = f"the answer is HTTP {status} without a problem: something else than a deephar-serve answers here"
    if status in _BETWEEN:
        return Unavailable("unavailable", detail, retry_after_s)
    return DeepharError(f"http_{status}", detail, retry_after_s)


def failed(error: httpx.HTTPError, address: Address) -> DeepharError:
    """Returns the error of a request without an answer."""
    if isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout):
        return late()
    return unreachable(address, str(error) or type(error).__name__)


def late() -> DeepharError:
    return DeadlineExceeded("deadline_exceeded", "the answer was not there in time; allow more by timeout_s")


def config_text(options: VideoOptions) -> str:
    """Returns the first message of a stream."""
    return json.dumps({"type": "config", **options.to_config()})


END = json.dumps({"type": "end"})


def item_messages(item: Frame | Flush) -> list[str | bytes]:
    """Returns the messages that send a frame or a flush."""
    if isinstance(item, Flush):
        return [json.dumps({"type": "flush"})]
    sent: list[str | bytes] = []
    if item.boxes:
        boxes = [{"id": person, "box": [float(side) for side in box]} for person, box in item.boxes]
        sent.append(json.dumps({"type": "boxes", "boxes": boxes}))
    if isinstance(item.picture, bytes):
        sent.append(_HEADER.pack(item.frame_id, item.time_ns, 0, 0) + item.picture)
    else:
        rgb, size = pixels_of(item.picture)
        sent.append(_HEADER.pack(item.frame_id, item.time_ns, size.width, size.height) + rgb)
    return sent


def message_of(text: str | bytes) -> Message | None:
    """Returns what a text of the service says; None: everything is answered.

    Raises:
        DeepharError: The stream has failed.
    """
    document = json.loads(text)
    match document.get("event"):
        case "end":
            return None
        case "error":
            raise DeepharError.of(str(document.get("code", "internal")), str(document.get("detail", "")))
    return Message(event_from_dict(document), document.get("received_frames", 0), document.get("credits", 0))


def refused(error: Exception, address: Address) -> NoReturn:
    """Raises the error of a WebSocket that was not opened: one of `NOT_OPENED`."""
    if isinstance(error, InvalidStatus):
        response = error.response
        try:
            document = json.loads(response.body or b"")
        except ValueError:
            document = None
        raise problem(response.status_code, document, response.headers) from error
    why = "it does not answer in time" if isinstance(error, TimeoutError) else str(error)
    raise unreachable(address, why) from error


def closed(error: ConnectionClosed, address: Address) -> Unreachable | DeepharError:
    """Returns the error of a WebSocket that was closed before everything was answered, without a word."""
    received = error.rcvd
    if received is not None and received.code in (1008, 1009):
        return InvalidArgument("invalid_argument", received.reason or f"the stream was closed with {received.code}")
    return unreachable(address, f"the stream was closed with {1006 if received is None else received.code}")


def chunks_of(file: Path) -> Iterable[bytes]:
    """Yields the bytes of a file."""
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            yield chunk
