"""What only an upload to REST gives: the video with what was recognized drawn in, and poses in other formats."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deephar.cli.connection import Connection, http_client
from deephar.errors import DeepharError
from deephar.transport.unreachable import unreachable

if TYPE_CHECKING:
    import httpx

MP4 = "video/mp4"


@contextmanager
def uploaded(connection: Connection, video: Path, accept: str, query: dict[str, str]) -> Iterator[Iterator[bytes]]:
    """Gives the pieces of an answer as they come.

    Args:
        connection: To REST.
        video: A file.
        accept: The type of the answer.
        query: Options of the request.

    Raises:
        DeepharError: The service refuses, cannot be reached, or ends the answer early.
        OSError: The video cannot be read.
    """
    import httpx

    with http_client(connection.address.url, connection.ca) as http, video.open("rb") as file:
        waiting = httpx.Timeout(http.timeout.connect, read=None)  # the network's work takes as long as the video
        try:
            with http.stream(
                "POST",
                "/v1/actions",
                params=query,
                files={"video": (video.name, file)},
                headers={"Accept": accept},
                timeout=waiting,
            ) as answer:
                if answer.status_code != 200:
                    raise _refusal(answer)
                yield answer.iter_bytes()
        except httpx.ConnectError as error:
            raise unreachable(connection.address, str(error)) from error
        except httpx.TransportError as error:
            raise DeepharError.of(
                "unavailable", f"the connection broke before the answer was whole ({error})"
            ) from error


def _refusal(answer: httpx.Response) -> DeepharError:
    answer.read()
    try:
        problem: dict[str, Any] = answer.json()
        return DeepharError.of(problem["code"], problem["detail"])
    except (ValueError, KeyError, TypeError):
        return DeepharError.of("internal", f"the server answered {answer.status_code} and no problem that is known")
