"""Frames of a stream with what the service says of them drawn in: skeletons, ids and actions."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from deephar.cli.exits import Failure
from deephar.drawn import drawn_of
from deephar.drawn_video import winner_of
from deephar.events import ActionEvent, Event, FrameErrorEvent, PoseEvent, Started

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from deephar.frames import Frame
    from deephar.results import Layout, Person

NEEDS = 'to draw videos needs PyAV and OpenCV, which are not installed: pip install "deephar-client[video,draw]"'
MOST_WAITING = 300  # frames whose events have not come; more than a service and its connection hold


def check_can_draw() -> None:
    """Raises `Failure` where what draws videos is not installed."""
    try:
        import av  # noqa: F401
        import cv2  # noqa: F401
    except ModuleNotFoundError:
        raise Failure(NEEDS) from None


class Drawer:
    """Draws events into the frames that they are of. The stream is asked with `want_keypoints`.

    Args:
        frames: That are sent; `frames` of this object are sent instead.
        with_ids: Whether captions begin with the person's id.
    """

    def __init__(self, frames: Iterable[Frame], with_ids: bool) -> None:
        self._frames, self._with_ids = frames, with_ids
        self._sent: OrderedDict[int, Frame] = OrderedDict()
        self._layout: Layout | None = None
        self._actions: dict[int, str] = {}  # of each person, in the last window

    def frames(self) -> Iterator[Frame]:
        """Yields the frames, and keeps them until their events come."""
        for frame in self._frames:
            self._sent[frame.frame_id] = frame
            while len(self._sent) > MOST_WAITING:
                self._sent.popitem(last=False)
            yield frame

    def drawn(self, event: Event) -> Iterator[tuple[NDArray[np.uint8], float]]:
        """Yields the pictures that are complete with this event, and their times in seconds."""
        match event:
            case Started():
                self._layout = event.layout
            case ActionEvent():
                best = winner_of(event)
                self._actions[event.person_id] = f"{best.label} {best.score:.2f}" if best else ""
            case PoseEvent():
                yield from self._with_people(event.frame_id, event.people)
            case FrameErrorEvent():
                self._sent.pop(event.frame_id, None)

    def _with_people(self, frame_id: int, people: tuple[Person, ...]) -> Iterator[tuple[NDArray[np.uint8], float]]:
        from deephar.drawing import draw_people

        frame = self._sent.pop(frame_id, None)
        for older in [number for number in self._sent if number < frame_id]:  # dropped for later ones
            del self._sent[older]
        if frame is None or self._layout is None:
            return
        drawn = [drawn_of(person, self._label(person)) for person in people]
        yield draw_people(pixels_of(frame), drawn, self._layout.joints, self._layout.edges), frame.time_s

    def _label(self, person: Person) -> str:
        action = self._actions.get(person.id or 0, "")
        return f"{person.id} {action}".strip() if self._with_ids and person.id is not None else action


def pixels_of(frame: Frame) -> NDArray[np.uint8]:
    """Returns the pixels (H, W, 3) of a frame in RGB."""
    import cv2
    import numpy as np

    if not isinstance(frame.picture, bytes):
        return frame.picture
    pixels = cv2.imdecode(np.frombuffer(frame.picture, np.uint8), cv2.IMREAD_COLOR)
    image: NDArray[np.uint8] = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    return image
