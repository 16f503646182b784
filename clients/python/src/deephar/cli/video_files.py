"""What `deephar actions` does with one video: asks for its answer, has it drawn, or reads the poses of its frames.

Over REST the file is uploaded, and nothing but the core of the client is needed. Over gRPC its frames are read here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deephar.cli.annotate import check_can_draw
from deephar.cli.connection import Connection
from deephar.cli.counted import CountedFrames
from deephar.cli.output import bar, waiting, whole_file
from deephar.cli.upload import MP4, uploaded
from deephar.cli.written import print_poses
from deephar.drawn_video import annotated
from deephar.events import Event, PoseEvent, Started
from deephar.options import VideoOptions
from deephar.recording import Recording

LONGEST_S = 86_400.0  # a call that ends with the video has no time limit of its own

if TYPE_CHECKING:
    from deephar import Client
    from deephar.formats import Poses
    from deephar.results import ActionsAnswer


def answer_of(client: Client, connection: Connection, video: Path, options: dict[str, Any]) -> ActionsAnswer:
    """Returns the actions in a video."""
    if connection.address.is_rest:
        with waiting(video.name):
            return client.classify(video, timeout_s=LONGEST_S, **options)
    with CountedFrames(video) as frames:
        answer = client.classify(frames, timeout_s=LONGEST_S, **options)
        (width, height), lost = frames.size, frames.lost
    return replace(answer, video=replace(answer.video, width=width, height=height, lost_frames=lost))


def draw_into(target: Path, client: Client, connection: Connection, video: Path, options: dict[str, Any]) -> None:
    """Writes the video with its people and actions drawn in. The sound is kept.

    Raises:
        DeepharError: The service refuses, or cannot be reached.
        OSError: A file cannot be read or written.
    """
    if connection.address.is_rest:
        with whole_file(target) as temporary:
            _have_drawn(temporary, connection, video, options)
        return
    check_can_draw()
    with whole_file(target) as temporary, CountedFrames(video) as frames:
        recording = Recording(temporary, audio_from=video)
        for picture, time_s in annotated(video, client.stream(frames, **options), options["people"] == "all"):
            recording.write(picture, time_s)
        recording.finish()


def _have_drawn(file: Path, connection: Connection, video: Path, options: dict[str, Any]) -> None:
    query = VideoOptions(**options).to_query()
    with (
        uploaded(connection, video, MP4, query) as pieces,
        file.open("wb") as drawn,
        bar(None, "B", video.name, scaled=True) as shown,
    ):
        for piece in pieces:
            drawn.write(piece)
            shown.update(len(piece))


def print_frames(form: str, client: Client, video: Path, options: dict[str, Any]) -> None:
    """Prints the poses of all frames in a format. Frames are read here, over REST as well: uploads have sampled ones.

    Raises:
        DeepharError: The service refuses, or cannot be reached.
        FormatError: The answer lacks what the format needs.
    """
    with CountedFrames(video) as frames:
        events = client.stream(frames, want_keypoints=True, **options)
        layout = next(event.layout for event in events if isinstance(event, Started))
        print_poses(form, _poses(events, frames.size, video.name), layout)


def _poses(events: Iterator[Event], size: tuple[int, int], name: str) -> Iterator[Poses]:
    from deephar.formats import Poses

    for event in events:
        if isinstance(event, PoseEvent):
            yield Poses.of_frame(event.to_dict(), *size, name)
