"""Action recognition: complete windows to scores by the clip network, scores to events and segments."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from service.networks.clip import ClipInference
from service.pipeline.answers import ActionEvent, Moment, SegmentEvent
from service.pipeline.plan import VideoPlan
from service.pipeline.track_state import TrackState
from service.video.windows import Window

Due = list[tuple[TrackState, Window]]
ActionEvents = AsyncGenerator[ActionEvent | SegmentEvent, None]


class Recognition:
    """Runs the clip network on the windows of all tracks of a stream."""

    def __init__(self, clip: ClipInference, plan: VideoPlan) -> None:
        self._clip, self._plan = clip, plan

    async def of_due(self, due: Due, at: Moment) -> ActionEvents:
        """Yields the action event of each complete window, and the segment that it ends."""
        step = self._plan.model.clip_max_batch
        for part in (due[start : start + step] for start in range(0, len(due), step)):
            scores = await self._clip.run(self._plan.model, [window for _, window in part])
            for (track, window), row in zip(part, scores, strict=True):
                event, segment = track.classified(window, row, at)
                yield event
                if segment is not None:
                    yield SegmentEvent(at, segment)

    async def of_ended(self, tracks: list[TrackState], sampled: int, at: Moment) -> ActionEvents:
        """Yields the last events of tracks that ended, in a video of `sampled` sampled frames so far.

        The samples of a track that never filled a window are stretched to one, if they are at least half a window or,
        in a video shorter than a window, half of the video.
        """
        least = min(self._plan.frames // 2, (sampled + 1) // 2)
        short = [(track, window) for track in tracks if (window := track.windows.stretched(least)) is not None]
        async for event in self.of_due(short, at):
            yield event
        for track in tracks:
            if (segment := track.finish()) is not None:
                yield SegmentEvent(at, segment)
