"""Action recognition: complete windows to scores by the clip network, scores to events and segments."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from service.networks.clip import ClipInference
from service.pipeline.answers import ActionEvent, Moment, SegmentEvent
from service.pipeline.plan import VideoPlan
from service.pipeline.track_state import TrackState
from service.video.windows import Array, Reason, Window

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
            all_scores = await self._scores([window for _, window in part])
            for (track, window), scores in zip(part, all_scores, strict=True):
                if window.reason is None and scores is None:
                    window = replace(window, reason=Reason.MODEL_CHANGED)
                event, segment = track.classified(window, scores, at)
                yield event
                if segment is not None:
                    yield SegmentEvent(at, segment)

    async def _scores(self, windows: list[Window]) -> list[Array | None]:
        """Returns the scores of each window, from one batch for each version; None where it cannot be classified."""
        scores: list[Array | None] = [None] * len(windows)
        for version in {window.version for window in windows if window.reason is None}:
            places = [i for i, w in enumerate(windows) if w.reason is None and w.version == version]
            found = await self._clip.run(self._plan.model, [windows[i] for i in places])
            for place, row in zip(places, () if found is None else found, strict=found is not None):
                scores[place] = row
        return scores

    async def of_ended(self, tracks: Sequence[TrackState], at: Moment) -> ActionEvents:
        """Yields the last events of tracks that ended: also that of a track that never filled a window."""
        short = [(track, window) for track in tracks if (window := track.windows.last()) is not None]
        async for event in self.of_due(short, at):
            yield event
        for track in tracks:
            if (segment := track.finish()) is not None:
                yield SegmentEvent(at, segment)
