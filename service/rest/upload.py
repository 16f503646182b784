"""The video of a request: a file, or a clip that is sent as its frames."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, nullcontext
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, TypeVar, cast

from deephar.formats import Format
from fastapi import Request

from service.errors import InvalidArgument, InvalidVideo, Unavailable
from service.networks.urgency import Latency, become
from service.pipeline.answers import ClipAnswer, Event
from service.pipeline.pipeline import Pipeline
from service.pipeline.plan import VideoPlan
from service.pipeline.stream import Stream
from service.rest import formats
from service.rest.deadline import due_s
from service.rest.form import FileField
from service.rest.formats import UploadQuestion
from service.rest.payload import Payload, payload, room_for_uploads
from service.rest.schemas import ActionsJson, LayoutJson
from service.stopping import STOPPING, Stopping
from service.video.frame import Frame
from service.video.picture_clip import PictureClip, times_of
from service.video.reader import VideoFacts, VideoLimits, VideoReader
from service.video.reopened import Reopened
from service.video.sampling import EVERY_FRAME_S, Sampler
from service.vision.crops import Image

T = TypeVar("T")

FRAMES = "frames"
_DRAWN = 3  # times the pixels of a video that is answered as one: it is read twice, and encoded


class UploadedVideo:
    """A `FrameSource` of the file in a request, or of its frames. They end early when the service stops.

    Args:
        pipeline: The use cases.
        stopping: State of the shutdown.
        accepted: The media type that was chosen by `Accept`.
        is_drawn: Whether its frames are read a second time, by `frames_again`.
    """

    dropped = 0

    def __init__(self, pipeline: Pipeline, stopping: Stopping, accepted: str, is_drawn: bool = False) -> None:
        self._pipeline, self._stopping, self._is_drawn = pipeline, stopping, is_drawn
        self._limits = VideoLimits(pipeline.settings.max_video_seconds, pipeline.settings.max_image_pixels)
        self.workers, self.most_pixels = pipeline.workers, self._limits.pixels
        self._source: VideoReader | PictureClip | None = None
        self._file: BinaryIO | None = None  # of a video
        self._stream: Stream | None = None
        self._accepted = accepted
        # All three are known with the first event.
        self.form: Format | None = None  # that is asked for
        self.question = UploadQuestion()
        self.name: str | None = None  # of the file

    async def events(self, request: Request, json_limit: int) -> AsyncGenerator[Event | ClipAnswer, None]:
        """Yields the events of the uploaded video. The upload is kept until the last one.

        Args:
            request: The request with the video.
            json_limit: Largest JSON body in bytes; of frames as well, which are held in memory.

        Raises:
            DeepharError: The request is wrong, the video cannot be read, or a network did not answer.
        """
        pipeline = self._pipeline
        fields = (FileField("video"), FileField(FRAMES, pipeline.settings.max_frames, json_limit))
        async with payload(request, fields, UploadQuestion, pipeline.workers, json_limit) as sent:
            become(Latency.BULK, due_s(request, sent.options.deadline_ms))
            self.form = formats.format_of(self._accepted, sent.options)
            self.question = formats.in_layout_of(self.form, sent.options)
            self.name = sent.names[0] if sent.field != FRAMES else None
            self._stream = await pipeline.stream(self.question, self)
            if self.form is not None:
                formats.check(self.form, self.layout, True, self.question)
            async with self._opened(sent), aclosing(self._stream.classified()) as events:
                async for event in events:
                    if isinstance(event, ClipAnswer) and self._stopping.over.is_set():
                        raise Unavailable(STOPPING)
                    yield event

    @contextmanager
    def encoding(self) -> Iterator[None]:
        """Takes a part of the pixels of videos for a clip of frames; a video file has its part already.

        Raises:
            Overloaded: There is no room.
        """
        width, height = self.size
        with nullcontext() if self._file is not None else self._pipeline.video_pixels.enter(width * height * _DRAWN):
            yield

    @asynccontextmanager
    async def _opened(self, sent: Payload[UploadQuestion]) -> AsyncIterator[None]:
        """Opens the source of the frames; a video file takes a part of the pixels of videos."""
        pipeline, options = self._pipeline, sent.options
        if sent.field == FRAMES:
            if len(sent.files) < 2:
                raise InvalidVideo("a clip has at least 2 frames; send more, or a picture to /v1/pose")
            times_ns = times_of(len(sent.files), options.fps, options.timestamps_ms)
            self._limits.check_length(times_ns[-1])
            self._source = PictureClip(sent.files, times_ns)
            yield
            return
        if options.fps is not None or options.timestamps_ms is not None:
            raise InvalidArgument("fps and timestamps_ms are of frames; a video has its own, leave them out")
        self._file = sent.files[0]
        if self._is_drawn:
            with room_for_uploads():  # now, since nothing reads the file yet
                cast("SpooledTemporaryFile[bytes]", self._file).rollover()
        async with VideoReader(self._file, self._limits, pipeline.workers) as self._source:
            with pipeline.video_pixels.enter(await self._source.open() * (_DRAWN if self._is_drawn else 1)):
                yield

    async def frames(self, sampler: Sampler) -> AsyncGenerator[tuple[Frame, int], None]:
        """Yields the sampled frames, until the service stops."""
        assert self._source is not None
        async with aclosing(self._source.frames(sampler)) as frames:
            async for sample in frames:
                yield sample
                if self._stopping.over.is_set():
                    return

    @property
    def plan(self) -> VideoPlan:
        """The checked options, once there was an event."""
        assert self._stream is not None
        return self._stream.plan

    @property
    def layout(self) -> LayoutJson:
        """The layout of pose events, once there was an event."""
        return LayoutJson.of(self.plan.layout, self.plan.model.card.has_depth)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the first frame, once there was its event."""
        assert self._stream is not None
        return self._stream.size

    async def frames_again(self) -> AsyncGenerator[Frame, None]:
        """Yields all frames from the first on, wherever the events are; to be closed before the events are.

        Raises:
            DeepharError: The video cannot be read.
        """
        file = self.file_again()
        again = self._source if file is None else VideoReader(file, self._limits, self.workers)
        assert again is not None
        async with aclosing(again.frames(Sampler(EVERY_FRAME_S))) as frames:
            async for frame, _ in frames:
                yield frame
                del frame  # not to be kept while the next one is decoded

    def file_again(self) -> BinaryIO | None:
        """Returns the file of the video with a position of its own; None: it was sent as frames."""
        return None if self._file is None else cast(BinaryIO, Reopened(self._file.fileno()))

    async def on_pixels(self, frame: Frame, work: Callable[[Image], T]) -> T:
        """Returns `work` of a frame's pixels, done in the pool of threads."""
        picture, pipeline = frame.picture, self._pipeline
        if not isinstance(picture, bytes):
            return await pipeline.workers.run(work, picture)
        with pipeline.pixels.hold() as held:
            return await pipeline.decoder.decode_for(picture, held, lambda decoded: work(decoded.pixels))

    def answer_json(self, answer: ClipAnswer) -> dict[str, Any]:
        """Returns the answer for the whole video, once its frames have ended."""
        return ActionsJson.of(answer, self._facts).model_dump()

    @property
    def _facts(self) -> VideoFacts:
        assert self._source is not None
        facts = self._source.facts(self.size) if isinstance(self._source, PictureClip) else self._source.facts
        assert facts is not None  # complete, since the frames have ended
        return facts
