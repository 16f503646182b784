"""The pipeline: all use cases, and the limits of what is in work."""

from __future__ import annotations

from service.networks.catalogue import Catalogue
from service.networks.clip import ClipInference
from service.networks.frame import FrameInference
from service.networks.server import InferenceServer
from service.people.detector import PersonDetector
from service.people.search import PeopleSearch
from service.pipeline.admission import Admission, PixelBudget
from service.pipeline.decoding import PictureDecoder
from service.pipeline.effort import ModelChooser, Need
from service.pipeline.options import VideoOptions
from service.pipeline.pictures import PoseEstimator
from service.pipeline.plan import plan_video
from service.pipeline.self_check import SelfCheck
from service.pipeline.stream import Stream, StreamParts
from service.settings import Settings
from service.telemetry.metrics import METRICS
from service.video.frame import FrameSource
from service.workers import Workers


class Pipeline:
    """The use cases, shared by all transports. These enter `requests` and `streams` before they read a body."""

    def __init__(self, settings: Settings, catalogue: Catalogue, server: InferenceServer, workers: Workers) -> None:
        self.settings, self.catalogue, self.workers = settings, catalogue, workers
        self.requests = Admission(settings.max_requests, "requests")
        self.streams = Admission(settings.max_streams, "videos")
        self.video_pixels = Admission(settings.max_video_pixels, "pixels of video")
        self.pixels = PixelBudget(settings.max_pixels_in_work)
        METRICS.streams.set_function(lambda: self.streams.inside)
        METRICS.pixels_in_work.set_function(lambda: self.pixels.taken)
        self.decoder = decoder = PictureDecoder(settings, workers)
        inference, clip = FrameInference(server, workers), ClipInference(server)
        search = PeopleSearch(catalogue, PersonDetector(server, workers, settings.tiles), inference)
        self._chooser = ModelChooser(catalogue, server)
        self.pictures = PoseEstimator(settings, self._chooser, decoder, inference, search)
        self._stream_parts = StreamParts(decoder, self.pixels, inference, search, clip)
        self.self_check = SelfCheck(catalogue, server, self._stream_parts)

    async def stream(self, options: VideoOptions, source: FrameSource, is_live: bool = False) -> Stream:
        """Returns the stream of a video; options are checked before its first frame.

        Args:
            options: The options of the request.
            source: Where its frames come from.
            is_live: Whether a frame that cannot be used is an event, and not the end.

        Raises:
            InvalidArgument: The model cannot do what is asked.
            UnknownModel, Unavailable: There is no such model, or it is not ready.
        """
        allowed_s = options.deadline_ms / 1e3 if is_live and options.deadline_ms else None
        need = Need(options.model, options.effort, actions=True, allowed_s=allowed_s)
        choice = await self._chooser.choose(need, self.streams.load_by_others)
        plan = plan_video(options, is_live, choice, self.settings.max_people)
        return Stream(plan, source, self._stream_parts)
