"""Action recognition: complete windows to scores by the clip network, scores to events and segments."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence

from service.networks.clip import ClipInference
from service.pipeline.answers import ActionEvent, Moment, SegmentEvent
from service.pipeline.plan import VideoPlan
from service.pipeline.track_state import TrackState
from service.video.windows import Array, Window

Due = Sequence[tuple[TrackState, Window]]
ActionEvents = AsyncGenerator[ActionEvent | SegmentEvent, None]


class Recognition:
    """Runs the clip network on the windows of all tracks of a stream."""

    def __init__(self, clip: ClipInference, plan: VideoPlan) -> None:
        self._clip, self._plan = clip, plan

    async def of_due(self, due: Due, at: Moment) -> ActionEvents:
        """Yields the event of each complete window, also of one without an action, and the segment that it ends."""
        step = self._plan.model.clip_max_batch
        for part in (due[start : start + step] for start in range(0, len(due), step)):
            windows = [window for _, window in part if window.reason is None]
            scores: Iterator[Array] = iter(await self._clip.run(self._plan.model, windows) if windows else ())
            for track, window in part:
                event, segment = track.classified(window, None if window.reason else next(scores), at)
                yield event
                if segment is not None:
                    yield SegmentEvent(at, segment)

    async def of_ended(self, tracks: Sequence[TrackState], at: Moment) -> ActionEvents:
        """Yields the last events of tracks that ended: also that of a track that never filled a window."""
        short = [(track, window) for track in tracks if (window := track.windows.last()) is not None]
        async for event in self.of_due(short, at):
            yield event
        for track in tracks:
            if (segment := track.finish()) is not None:
                yield SegmentEvent(at, segment)
