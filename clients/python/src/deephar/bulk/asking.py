"""Asks a service for one file of a batch, and writes what it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from deephar import AsyncClient, Camera
from deephar.address import Address
from deephar.bulk.engine import UnreadableInput
from deephar.bulk.inputs import Input
from deephar.bulk.options import BatchOptions
from deephar.bulk.output_folder import ANNOTATED, OutputFolder
from deephar.bulk.results import line_of
from deephar.bulk.videos import VideoAsking
from deephar.errors import DeepharError
from deephar.options import PoseOptions
from deephar.results import PoseAnswer
from deephar.transport import Connecting

if TYPE_CHECKING:
    from deephar.bulk.upload import Upload
    from deephar.transport.grpc_async import AsyncGrpcTransport

_TIMEOUT_S = 120.0  # of a picture

T = TypeVar("T")


@dataclass(frozen=True)
class Service:
    """Who is asked, as `AsyncClient` takes it."""

    address: str
    api_key: str | None = None
    ca: Path | None = None


class ServiceAsking:
    """Asks over a client of the service. Files are read and written in threads: disks may be slow.

    Use it as an asynchronous context manager.

    Args:
        service: That is asked.
        options: Of the batch.
        output: Where the results go.
        threads: For files.
    """

    def __init__(
        self, service: Service, options: BatchOptions, output: OutputFolder, threads: ThreadPoolExecutor
    ) -> None:
        self._client = AsyncClient(
            service.address, timeout_s=_TIMEOUT_S, retries=0, api_key=service.api_key, ca=service.ca
        )
        self._options, self._output, self._threads = options, output, threads
        of_both: dict[str, Any] = {
            "model": options.model,
            "layout": options.layout,
            "effort": options.effort,
            "max_people": options.max_people,
        }
        self._of_pictures = {
            **of_both,
            "boxes": options.boxes,
            "flip": options.flip,
            "min_score": options.min_score,
            "camera": None if options.camera is None else camera_of(options.camera),
        }
        of_videos = {**of_both, "people": options.people, "hop": options.hop, "top_k": options.top_k}
        if options.boxes:
            of_videos["box"] = options.boxes[0]
        where = Address.of(service.address, encrypted=service.ca is not None)
        connecting = Connecting(service.api_key, None, service.ca.read_bytes() if service.ca else None)
        self._upload: Upload | None = None
        self._grpc: AsyncGrpcTransport | None = None
        if where.is_rest:
            from deephar.bulk.upload import Upload

            self._upload = Upload(where, connecting)
        else:
            from deephar.transport.grpc_async import AsyncGrpcTransport

            self._grpc = AsyncGrpcTransport(where, connecting)
        self._videos = VideoAsking(self._client, self._upload, options, of_videos, output, threads)

    async def __aenter__(self) -> ServiceAsking:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()
        for each in (self._upload, self._grpc):
            if each is not None:
                await each.close()

    async def reach(self) -> None:
        """Raises `DeepharError` where the service cannot be reached, or refuses whoever asks."""
        await self._client.models()

    async def ask(self, input: Input) -> None:
        """Asks for a file and writes its result."""
        await (self._picture(input) if input.kind == "picture" else self._videos.ask(input))

    async def is_ready(self) -> bool:
        """Returns whether the service has the model of the batch."""
        try:
            models = await self._client.models()
        except DeepharError:
            return False
        return any(model.ready for model in models if self._options.model in ("", model.name))

    async def _picture(self, input: Input) -> None:
        content = await self._in_thread(lambda: read(input.path))
        if self._grpc is None:
            answer = await self._client.pose(content, **self._of_pictures)
            document = answer.to_dict()
        else:
            from deephar.bulk.documents import pose_document

            message = await self._grpc.pose_message(content, PoseOptions(**self._of_pictures), _TIMEOUT_S)
            document = pose_document(message)
        line = line_of(input.id, document)

        def write() -> None:
            if self._options.annotated:
                path = self._output.product_of(input.id, ANNOTATED, ".jpg")
                self._output.write(path, drawn(content, PoseAnswer.from_dict(document)), durable=True)
            self._output.write(self._output.result_of(input.id), line)

        await self._in_thread(write)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def read(path: str) -> bytes:
    """Returns the bytes of an input.

    Raises:
        UnreadableInput: It cannot be read.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except OSError as error:
        raise UnreadableInput(error.strerror or str(error)) from error


def drawn(content: bytes, answer: PoseAnswer) -> bytes:
    """Returns a picture with the people of its answer drawn in, as JPEG. Needs the extra `draw`.

    Raises:
        UnreadableInput: The picture cannot be read here, as HEIC.
    """
    import cv2

    from deephar.decoded import NotDecoded, decoded

    try:
        skeletons = answer.draw(decoded(content, answer.image))
    except NotDecoded as error:
        raise UnreadableInput(f"{error}; or leave out --annotated") from None
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(skeletons, cv2.COLOR_RGB2BGR))
    return jpeg.tobytes()


def camera_of(numbers: tuple[float, ...]) -> Camera:
    """Returns a camera of fx, fy, cx, cy and the pelvis' depth."""
    fx, fy, cx, cy, depth = numbers
    return Camera(fx=fx, fy=fy, cx=cx, cy=cy, root_depth_mm=[depth])
