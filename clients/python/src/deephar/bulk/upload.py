"""Videos that are sent to REST as they are: their events come back as lines, and at last their answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from deephar.address import Address
from deephar.errors import DeepharError, Unavailable
from deephar.options import VideoOptions
from deephar.results import Json
from deephar.transport import Connecting
from deephar.transport import rest_calls as rest
from deephar.transport.rest_async import async_chunks_of

_CONNECT_S = 10.0


class Upload:
    """Connections to a service's REST.

    Args:
        address: Of REST.
        connecting: Who asks, and who is trusted.
    """

    def __init__(self, address: Address, connecting: Connecting) -> None:
        self._address = address
        verify = rest.verification(connecting) if address.is_encrypted else False
        # The networks' work takes as long as the video.
        limits = httpx.Timeout(_CONNECT_S, read=None, write=None, pool=None)
        self._http = httpx.AsyncClient(headers=rest.headers_of(connecting), verify=verify, timeout=limits)

    async def close(self) -> None:
        """Closes them; running requests are cancelled."""
        await self._http.aclose()

    async def lines(self, video: str, options: VideoOptions) -> AsyncIterator[Json]:
        """Yields the events of a video; the last one is the answer.

        Args:
            video: Path of the file.
            options: Of the request.

        Raises:
            DeepharError: The service refuses, is away, or ended the answer early.
            OSError: The file cannot be read.
        """
        headers = {"Accept": "application/x-ndjson", "Content-Type": "application/octet-stream"}
        question = rest.file_question(Path(video), options)
        url, query = self._address.url + question.path, dict(question.query)
        content = async_chunks_of(Path(video))
        try:
            async with self._http.stream("POST", url, params=query, headers=headers, content=content) as response:
                if response.status_code != httpx.codes.OK:
                    rest.document_of(response, await response.aread())
                async for line in response.aiter_lines():
                    document = json.loads(line)
                    if document["event"] == "error":
                        raise DeepharError.of(document["code"], document["detail"])
                    yield document
                    if document["event"] == "answer":
                        return
        except httpx.HTTPError as error:
            raise rest.failed(error, self._address) from error
        raise Unavailable("unavailable", "the answer ended before it was whole")
