"""The command line of the client: `deephar pose`, `deephar classify`, `deephar stream`, `deephar models`."""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc

from deephar.client import EFFORTS, Box, Camera, Client
from deephar.v1 import inference_pb2 as pb
from deephar.video import NotAVideo, NoVideoReader, frames_of


def main() -> None:
    """Runs `deephar` for its subcommands that call a service."""
    parser = argparse.ArgumentParser(
        prog="deephar",
        description="Ask a deephar-serve for poses and actions.",
        epilog="A key for the service is read from the variable DEEPHAR_API_KEY, its address from DEEPHAR_ADDRESS. "
        "deephar weights, deephar export and deephar engine make models, in the project's environment for them.",
    )
    address = os.environ.get("DEEPHAR_ADDRESS", "").strip() or "localhost:8081"
    parser.set_defaults(address=address, model="", effort=None, tls=False, ca=None)
    where = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    where.add_argument("--address", help="host:port of the service's gRPC, else DEEPHAR_ADDRESS or localhost:8081")
    where.add_argument("--tls", action="store_true", help="encrypt; the service shows a certificate")
    where.add_argument("--ca", type=Path, metavar="FILE", help="PEM of who signed that certificate; with TLS")
    which = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    which.add_argument("--model", help="absent: the service's default")
    which.add_argument("--effort", choices=("fast", "balanced", "best"), help="which of the models of one kind answers")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("models", parents=[where], help="the models that the service has")
    pose = commands.add_parser("pose", parents=[where, which], help="the keypoints of the people in a picture")
    pose.add_argument("file", type=Path)
    pose.add_argument("--box", type=_box, action="append", metavar="X,Y,W,H", help="a person's, in pixels; repeatable")
    pose.add_argument(
        "--camera",
        type=_camera,
        metavar="FX,FY,CX,CY,DEPTH",
        help="in pixels, and the pelvis' distance in mm; models that know or lift depth",
    )
    pose.add_argument("--layout", default="", help="of the joints: pa16, coco17, ...; absent: the model's own")
    pose.add_argument("--max-people", type=_count, default=0, metavar="N", help="largest number, without boxes")
    pose.add_argument("--flip", action="store_true", help="average with the mirrored picture")
    for name, purpose in (("classify", "the actions in a video"), ("stream", "actions while the video is being sent")):
        video = commands.add_parser(name, parents=[where, which], help=purpose)
        video.add_argument("file", type=Path)
        video.add_argument("--all", action="store_true", help="of all people, not only of the main person")
        video.add_argument("--hop", type=_count, default=0, metavar="N", help="sampled frames between two windows")
        video.add_argument("--top-k", type=_count, default=0, metavar="N", help="how many actions to name")
    arguments = parser.parse_args()
    try:
        api_key = os.environ.get("DEEPHAR_API_KEY", "").strip()  # an argument could be read in the list of processes
        with Client(arguments.address, api_key=api_key, credentials=_credentials(arguments)) as client:
            _run(client, arguments)
    except grpc.RpcError as error:
        sys.exit(f"deephar: {error.details()}")
    except (OSError, NotAVideo, NoVideoReader) as error:
        sys.exit(f"deephar: {error}")


def _credentials(arguments: argparse.Namespace) -> grpc.ChannelCredentials | None:
    """Returns what TLS needs; None without it."""
    if not arguments.tls and arguments.ca is None:
        return None
    return grpc.ssl_channel_credentials(arguments.ca.read_bytes() if arguments.ca else None)


def _box(text: str) -> Box:
    try:
        x, y, width, height = (float(number) for number in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"four numbers with commas between them are wanted, not {text!r}") from None
    return x, y, width, height


def _count(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"a whole number of 0 or more is wanted, not {text!r}")
    return int(text)


def _opened(file: Path) -> Iterator[pb.Frame]:
    """Returns the frames of a video. The first is read here, so that errors of the file do not arise within gRPC."""
    frames = frames_of(str(file))
    return itertools.chain([next(frames)], frames)


def _camera(text: str) -> Camera:
    try:
        fx, fy, cx, cy, depth = (float(number) for number in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"five numbers with commas between them are wanted, not {text!r}") from None
    return Camera(fx=fx, fy=fy, cx=cx, cy=cy, root_depth_mm=[depth])


def _line(point: pb.Keypoint) -> str:
    """Returns a keypoint as text: name, x and y in pixels, z in mm if known, score, position in mm with a camera."""
    z = f" {point.z:8.1f}" if point.HasField("z") else ""
    place = point.position_mm
    space = f"   {place.x:9.1f} {place.y:9.1f} {place.z:9.1f}" if point.HasField("position_mm") else ""
    return f"{point.name:15} {point.x:8.1f} {point.y:8.1f}{z}   {point.score:.2f}{space}"


def _config(arguments: argparse.Namespace) -> pb.StreamConfig:
    return pb.StreamConfig(
        model=arguments.model,
        following=pb.FOLLOWING_ALL if arguments.all else pb.FOLLOWING_MAIN,
        effort=EFFORTS[arguments.effort],
        hop=arguments.hop,
        top_k=arguments.top_k,
    )


def _run(client: Client, arguments: argparse.Namespace) -> None:
    commands = {"models": _models, "pose": _pose, "classify": _classify, "stream": _stream}
    commands[arguments.command](client, arguments)


def _models(client: Client, _: argparse.Namespace) -> None:
    for model in client.models():
        print(f"{model.name}\t{'ready' if model.ready else 'not ready'}\t{model.description}")


def _pose(client: Client, arguments: argparse.Namespace) -> None:
    answer = client.pose(
        arguments.file.read_bytes(),
        arguments.model,
        arguments.box or (),
        arguments.layout,
        camera=arguments.camera,
        max_people=arguments.max_people,
        flip=arguments.flip,
        effort=arguments.effort,
    )
    if not answer.people:
        print("no person was found", file=sys.stderr)
    for number, person in enumerate(answer.people):
        if number:
            print()
        for point in person.keypoints:
            print(_line(point))


def _classify(client: Client, arguments: argparse.Namespace) -> None:
    result = client.classify(_opened(arguments.file), _config(arguments))
    if not result.people:
        print("no person was found", file=sys.stderr)
    for someone in result.people:
        if arguments.all:
            print(f"person {someone.person_id}")
        if someone.reason:
            print(f"no action: {someone.reason}", file=sys.stderr)
        for action in someone.actions:
            print(f"{action.score:.3f} {action.label}")


def _stream(client: Client, arguments: argparse.Namespace) -> None:
    for event in client.stream(_opened(arguments.file), _config(arguments)):
        if event.WhichOneof("event") == "action":
            window = event.action
            who = f"person {window.person_id}  " if arguments.all else ""
            what = " ".join(f"{best.label} {best.score:.2f}" for best in window.actions[:1]) or window.reason
            print(f"{who}{window.start_s:6.2f} s to {window.end_s:6.2f} s  {what}", flush=True)
        elif event.WhichOneof("event") == "segment":
            segment = event.segment
            who = f"person {segment.person_id}  " if arguments.all else ""
            print(f"{who}segment {segment.start_s:.2f} s to {segment.end_s:.2f} s: {segment.label}", flush=True)
        elif event.WhichOneof("event") == "frame_error":
            print(f"left out: {event.frame_error.detail}", file=sys.stderr, flush=True)
