"""`deephar pose PICTURE`, `deephar classify VIDEO`, `deephar stream VIDEO`, `deephar models`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import av
import grpc

from deephar.client import Client
from deephar.v1 import inference_pb2 as pb
from deephar.video import frames_of


def main() -> None:
    parser = argparse.ArgumentParser(prog="deephar", description="Ask a deephar-serve for poses and actions.")
    parser.add_argument("--address", default="localhost:8081", help="host:port of the service's gRPC")
    parser.add_argument("--model", default="", help="absent: the service's default")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("models", help="the models that the service has")
    commands.add_parser("pose", help="joints of the person in a picture").add_argument("file", type=Path)
    commands.add_parser("classify", help="the action in a video").add_argument("file", type=Path)
    commands.add_parser("stream", help="actions while the video is being sent").add_argument("file", type=Path)
    arguments = parser.parse_args()
    try:
        with Client(arguments.address) as client:
            _run(client, arguments)
    except grpc.RpcError as error:
        sys.exit(f"deephar: {error.details()}")
    except (OSError, av.FFmpegError) as error:
        sys.exit(f"deephar: {error}")


def _run(client: Client, arguments: argparse.Namespace) -> None:
    config = pb.StreamConfig(model=arguments.model)
    match arguments.command:
        case "models":
            for model in client.models():
                print(f"{model.name}\t{'ready' if model.ready else 'not ready'}\t{model.description}")
        case "pose":
            answer = client.pose(arguments.file.read_bytes(), model=arguments.model)
            for person in answer.people:
                for point in person.keypoints:
                    print(f"{point.name:15} {point.x:8.1f} {point.y:8.1f}   {point.score:.2f}")
        case "classify":
            for action in client.classify(frames_of(str(arguments.file)), config).actions:
                print(f"{action.score:.3f} {action.label}")
        case "stream":
            for event in client.stream(frames_of(str(arguments.file)), config):
                if event.WhichOneof("event") == "action":
                    best = event.action.actions[0]
                    print(
                        f"{event.action.start_s:6.2f} s to {event.action.end_s:6.2f} s  {best.label} {best.score:.2f}",
                        flush=True,
                    )
                elif event.WhichOneof("event") == "segment":
                    print(
                        f"segment {event.segment.start_s:.2f} s to {event.segment.end_s:.2f} s: {event.segment.label}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
