"""State of one track in a stream: smoothed keypoints, the window of samples, the running segment."""

from __future__ import annotations

import numpy as np

from service.networks.frame import Array, FrameOutput
from service.people.smoothing import KeypointSmoother
from service.pipeline.answers import ActionEvent, ActionScore, Moment, Person
from service.pipeline.person import person_in
from service.pipeline.plan import VideoPlan
from service.video.segments import Segment, SegmentMerger
from service.video.windows import Sample, Window, WindowBuffer


class TrackState:
    """What a stream keeps of one track."""

    def __init__(self, person_id: int, plan: VideoPlan) -> None:
        self.id, self._plan = person_id, plan
        self.windows = WindowBuffer(plan.frames, plan.hop)
        self._smoother = KeypointSmoother() if plan.smooth else None
        self._segments = SegmentMerger(person_id)
        self._unseen: list[tuple[int, bool]] = []  # of all people: frames since one of them was seen last

    def person(self, output: FrameOutput, time_s: float) -> Person:
        """Returns the person in an output of one crop, with smoothed keypoints."""
        if self._smoother is not None:
            output = _smoothed(output, self._smoother, time_s)
        return person_in(output, 0, None, self._plan.model.layout, self._plan.layout, person_id=self.id)

    def due(self, sample: Sample | None, ticks: int, is_repeated: bool) -> list[Window]:
        """Returns the windows that are complete with a frame; see `WindowBuffer.add`.

        One of several people may have gone for good: frames without them count only when they are seen again.
        """
        if sample is None and self._plan.people != "main":
            self._unseen.append((ticks, is_repeated))
            return []
        unseen, self._unseen = self._unseen, []
        windows = [window for away in unseen for window in self.windows.add(None, *away)]
        return windows + self.windows.add(sample, ticks, is_repeated)

    def classified(self, window: Window, scores: Array | None, at: Moment) -> tuple[ActionEvent, Segment | None]:
        """Returns the event of a window, and the segment that the window ends.

        Args:
            window: Of this track.
            scores: (A,); None: the window cannot be classified.
            at: The newest frame.
        """
        first, last = window.samples[0], window.samples[-1]
        actions = [] if scores is None else ranked(scores, self._plan)
        event = ActionEvent(at, self.id, first.frame_id, first.time_s, last.time_s, actions, scores, window.reason)
        if scores is None:
            return event, self._segments.add(first.time_s, last.time_s, None, 0.0)
        label = None if event.winner is None else event.winner.label
        return event, self._segments.add(first.time_s, last.time_s, label, actions[0].score)

    def finish(self) -> Segment | None:
        """Returns the running segment at the end of the track; None where the background class won."""
        return self._segments.finish()


def ranked(scores: Array, plan: VideoPlan) -> list[ActionScore]:
    """Returns the `top_k` actions with the highest scores, of scores (A,)."""
    best = np.argsort(-scores, kind="stable")[: plan.top_k]
    return [ActionScore(plan.labels[i], float(scores[i])) for i in best]


def _smoothed(output: FrameOutput, smoother: KeypointSmoother, time_s: float) -> FrameOutput:
    if output.depths_mm is None:
        return output._replace(keypoints_px=smoother.smooth(output.keypoints_px[0], output.scores[0], time_s)[None])
    together = np.concatenate([output.keypoints_px[0], output.depths_mm[0][:, None]], axis=1)
    smooth = smoother.smooth(together, output.scores[0], time_s)[None]
    return output._replace(keypoints_px=smooth[..., :2], depths_mm=smooth[..., 2])
