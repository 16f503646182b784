"""One track: where its person was seen last, how they move, and where they should be by now."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from service.networks.frame import FrameOutput
from service.vision.boxes import Box
from service.vision.crops import CropWindow

AVERAGED_OVER_S = 0.4  # time constant of the averages of speed and size
LONGEST_PREDICTION_S = 0.5  # of the pose or box of somebody who is seen
LONGEST_HIDDEN_S = 2.0  # after which a hidden track is dropped, and a speed that was not measured since is not used
CONFIRMED = 3  # poses after which a track is worth waiting for
# A hidden person is looked for between the place where they were last seen and where their speed would have taken them.
REACH = 0.75  # distance from that way, over their size
SPEED_ERROR = 0.5  # as a share of the speed
SIZES = 0.5  # logarithm of the factor by which their size may change


@dataclass(frozen=True)
class Place:
    """Where a track looks for its person."""

    crop_window: CropWindow
    box: Box  # of the last matching detection or, without one, of the keypoints
    time_s: float  # of the box
    misses: int  # detector runs in a row without a match


@dataclass
class Track:
    id: int
    place: Place
    score: float = 1.0  # mean of the keypoints
    hidden: bool = False  # waits for its person to be seen again
    poses: int = 0  # frames in which the person was seen
    seen_s: float = -math.inf  # time of the last pose
    # Of the last pose: (K, 2) in pixels, and (K,).
    keypoints_px: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    scores: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    # When the person was last seen whole, with nobody before them:
    whole_s: float = -math.inf
    centre_px: NDArray[np.floating] = field(default_factory=lambda: np.zeros(2))
    speed_px_s: NDArray[np.floating] = field(default_factory=lambda: np.zeros(2))  # averaged
    size_px: float = 1.0  # longer side, averaged

    def saw(self, output: FrameOutput, time_s: float, whole: bool = True) -> None:
        """Takes the pose of its person in an output of one crop.

        Args:
            output: Of the crop that shows the person.
            time_s: Media time of the frame.
            whole: Whether nobody stands in front: the pose of somebody half hidden is no measure of place and
                speed, until they have been so for long.
        """
        keypoints_px = output.keypoints_px[0]
        if whole or time_s - self.whole_s > LONGEST_HIDDEN_S:
            self._measure(keypoints_px, time_s)
        self.keypoints_px, self.scores = keypoints_px, output.scores[0]
        self.seen_s = time_s
        self.poses += 1

    def _measure(self, keypoints_px: NDArray[np.float32], time_s: float) -> None:
        centre_px, passed_s = keypoints_px.mean(axis=0), time_s - self.whole_s
        size_px = max(float(np.ptp(keypoints_px, axis=0).max()), 1.0)
        share = 1 - math.exp(-min(passed_s, LONGEST_PREDICTION_S / 2) / AVERAGED_OVER_S) if self.poses else 1.0
        if 0 < passed_s <= LONGEST_PREDICTION_S:
            self.speed_px_s = self.speed_px_s + share * ((centre_px - self.centre_px) / passed_s - self.speed_px_s)
        elif passed_s > LONGEST_HIDDEN_S:
            self.speed_px_s = np.zeros(2)
        self.size_px += share * (size_px - self.size_px)
        self.centre_px, self.whole_s = centre_px, time_s

    def expected_box(self, time_s: float) -> Box:
        """Returns the last box, moved on at the person's speed."""
        box = self.place.box
        x, y = self._way(time_s - self.place.time_s, LONGEST_PREDICTION_S)
        return Box(box.x + x, box.y + y, box.width, box.height)

    def expected_pose(self, time_s: float) -> NDArray[np.floating]:
        """Returns the last keypoints (K, 2), moved on at the person's speed."""
        return np.asarray(self.keypoints_px + self._way(time_s - self.seen_s, LONGEST_PREDICTION_S))

    def likeness(self, box: Box, time_s: float) -> float:
        """Returns how well a box matches the hidden person, up to 1; 0: it cannot be them."""
        larger = max(box.width, box.height, 1.0) / self.size_px
        if abs(math.log(larger)) > SIZES:
            return 0.0
        way = self._way(time_s - self.whole_s, LONGEST_HIDDEN_S)
        to_box = np.array(box.centre) - self.centre_px
        share = float(np.clip(to_box @ way / max(float(way @ way), 1e-9), 0, 1))
        reach_px = REACH * self.size_px + SPEED_ERROR * float(np.linalg.norm(way))
        return max(0.0, 1 - float(np.linalg.norm(to_box - share * way)) / reach_px)

    def nearness(self, keypoints_px: NDArray[np.float32], time_s: float) -> float:
        """Returns how near a pose (K, 2) is, up to 1, to where the person should be since they were last seen whole."""
        expected_px = self.centre_px + self._way(time_s - self.whole_s, LONGEST_HIDDEN_S)
        return max(0.0, 1 - float(np.linalg.norm(keypoints_px.mean(axis=0) - expected_px)) / self.size_px)

    def _way(self, passed_s: float, longest_s: float) -> NDArray[np.floating]:
        """Returns x and y in pixels that the person moves in a time, of which no more than `longest_s` counts."""
        return self.speed_px_s * min(max(passed_s, 0.0), longest_s)
