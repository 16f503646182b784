"""`deephar live`: poses and actions of a camera, an address, stdin or a file, as they happen."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deephar.cli.annotate import Drawer, check_can_draw
from deephar.cli.connection import Connection, with_connection
from deephar.cli.exits import tell
from deephar.cli.options import with_model, with_people
from deephar.cli.output import check_folder, print_json
from deephar.cli.sources import Source, frames_of_source, source_of
from deephar.cli.targets import VIDEOS, targets_of
from deephar.events import ActionEvent, Event, FrameErrorEvent, SegmentEvent
from deephar.recording import Recording

if TYPE_CHECKING:
    from deephar.cli.window import Window
    from deephar.options import DropPolicy


@click.command(
    epilog="""\b
Examples:
  deephar live 0 --show                         the first webcam, in a window
  deephar live rtsp://camera.local/stream --json > events.jsonl
  deephar live 0 -o drawn.mp4                   until Ctrl-C
  ffmpeg -i INPUT -f mpegts - | deephar live -
"""
)
@click.argument("source", metavar="CAMERA|URL|FILE|-")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="PATH", help="Draws into this .mp4 file or folder."
)
@click.option("--show", is_flag=True, help="Draws into a window.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for each event, poses as well.")
@click.option(
    "--latest/--lossless",
    default=None,
    help="Whether older frames are left out where the service is too slow.  [default: those of cameras]",
)
@with_people
@with_model
@with_connection
def live(
    connection: Connection,
    source: str,
    output: Path | None,
    show: bool,
    as_json: bool,
    latest: bool | None,
    **options: Any,
) -> None:
    """Tells poses and actions while the frames come.

    The source is the number of a camera, an address (rtsp://, http://), a video file, or - for a video on stdin that is
    read as it comes. Ctrl-C ends it.
    """
    if output:
        (output,) = targets_of(output, (source,), VIDEOS, "live").values()
    read = source_of(source)
    drop_policy: DropPolicy = "latest" if (read.is_live if latest is None else latest) else "lossless"
    viewers = Viewers(output, show, read) if output or show else None
    drawer = Drawer(frames_of_source(read), options["people"] == "all")
    with connection.client() as client, viewers or nullcontext():
        events = client.stream(drawer.frames(), drop_policy=drop_policy, want_keypoints=viewers is not None, **options)
        for event in events:
            _print(event, as_json, options["people"] == "all")
            if viewers and not viewers.take(drawer, event):
                break


class Viewers:
    """The file and the window that drawn frames go to. Leaving the context finishes the file, whatever the reason.

    Raises:
        Failure: What they need is not there.
    """

    def __init__(self, output: Path | None, show: bool, source: Source) -> None:
        check_can_draw()
        if output:
            check_folder(output)
        self._output = output
        self._recording = Recording(output) if output else None
        self._window: Window | None = None
        if show:
            from deephar.cli.window import Window

            self._window = Window(f"deephar: {source.name}")

    def __enter__(self) -> Viewers:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._window:
            self._window.close()
        if self._recording and self._recording.finish() and not (kind and issubclass(kind, OSError)):
            click.echo(f"drawn: {self._output}", err=True)

    def take(self, drawer: Drawer, event: Event) -> bool:
        """Shows and writes what is complete with an event. Returns whether somebody still looks."""
        for picture, time_s in drawer.drawn(event):
            if self._recording:
                self._recording.write(picture, time_s)
            if self._window:
                self._window.show(picture)
        return self._window is None or self._window.is_open


def _print(event: Event, as_json: bool, several: bool) -> None:
    if as_json:
        print_json(event.to_dict())
        return
    match event:
        case ActionEvent():
            best = event.actions[0] if event.actions else None
            what = f"{best.label} {best.score:.2f}" if best else f"no action: {event.reason}"
            click.echo(f"{_who(event, several)}{event.start_s:6.2f} s to {event.end_s:6.2f} s  {what}")
        case SegmentEvent():
            span = f"{event.start_s:.2f} s to {event.end_s:.2f} s"
            click.echo(f"{_who(event, several)}segment {span}: {event.label} {event.score:.2f}")
        case FrameErrorEvent():
            tell(f"left out: {event.detail}")


def _who(event: ActionEvent | SegmentEvent, several: bool) -> str:
    return f"person {event.person_id}  " if several else ""
