"""Senders of live video over gRPC, all in one process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import cv2
import grpc
import numpy as np
from deephar.v1 import inference_pb2 as pb
from deephar.v1 import inference_pb2_grpc as pb_grpc
from deephar.video import frames_of
from numpy.typing import NDArray

from service.testing.running import ROOT

FPS = 25
LIMIT_S = 0.2  # in which a frame's pose is to come
_PATIENCE_S = 3.0  # for the last answers
_OPTIONS = [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]

Picture = NDArray[np.uint8]


def sample_pictures(width: int, height: int) -> list[Picture]:
    """Returns the frames of the sample video in this size, in BGR."""
    frames = frames_of(str(ROOT / "samples" / "jumping_jacks.mp4"))
    pictures = [cv2.imdecode(np.frombuffer(bytes(frame.picture), np.uint8), cv2.IMREAD_COLOR) for frame in frames]
    return [cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA) for picture in pictures]


def jpeg(picture: Picture, quality: int = 85) -> bytes:
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


@dataclass
class Sent:
    """What became of one stream. Times are of the client's clock."""

    config: pb.StreamConfig
    due_s: list[float] = field(default_factory=list)  # when each frame was to be sent, by its id
    pose_lag_s: dict[int, float] = field(default_factory=dict)  # from then to its pose event, by frame id
    answered_s: list[float] = field(default_factory=list)  # when each pose event came
    actions: int = 0
    first_action_s: float | None = None  # from when the frame was to be sent that completes the first window
    dropped: int = 0
    people: int = 0  # most in one frame
    error: str = ""

    def lags_ms(self) -> list[float]:
        """Returns the lag of every pose event."""
        return [1e3 * lag for lag in self.pose_lag_s.values()]

    def poses_while_sending(self) -> int:
        """Returns how many pose events came until the last frame was due and had its time."""
        return sum(at_s <= self.due_s[-1] + LIMIT_S for at_s in self.answered_s)

    def on_time(self) -> int:
        return sum(lag <= LIMIT_S for lag in self.pose_lag_s.values())


async def send(address: str, frames: Sequence[bytes], begin_s: float, seconds: float, config: pb.StreamConfig) -> Sent:
    """Sends frames at their rate from `begin_s` (monotonic) on, again from the first after the last.

    A sender whom the service holds back is late with its next frames; their lag counts from when they were due.
    """
    count = round(seconds * FPS)
    due = [begin_s + i / FPS for i in range(count)]

    async def wait(index: int) -> bool:
        now = time.monotonic()
        if now < due[index]:
            await asyncio.sleep(due[index] - now)
        return now < begin_s + seconds  # held back by so much: the rest is never sent

    sent = Sent(config, due)
    await _exchange(address, frames, count, wait, sent, begin_s + seconds + _PATIENCE_S)
    return sent


async def send_at_once(
    address: str,
    frames: Sequence[bytes],
    count: int,
    config: pb.StreamConfig,
    fps: float = FPS,
    at: Callable[[int], None] = lambda _: None,
) -> Sent:
    """Sends so many frames as fast as the service takes them; lags mean nothing then. Calls `at` before each."""

    async def wait(index: int) -> bool:
        at(index)
        sent.due_s.append(time.monotonic())
        return True

    sent = Sent(config)
    await _exchange(address, frames, count, wait, sent, None, fps)
    if sent.error:
        raise RuntimeError(sent.error)
    return sent


async def _exchange(
    address: str,
    frames: Sequence[bytes],
    count: int,
    wait: Callable[[int], Awaitable[bool]],
    sent: Sent,
    until_s: float | None,
    fps: float = FPS,
) -> None:
    """Sends frames, each when `wait` has ended, until it answers False, and receives events until this time."""
    async with grpc.aio.insecure_channel(address, options=_OPTIONS) as channel:
        call = pb_grpc.InferenceServiceStub(channel).StreamVideo()

        async def send_all() -> None:
            await call.write(pb.StreamVideoRequest(config=sent.config))
            for i in range(count):
                if not await wait(i):
                    break
                frame = pb.Frame(encoded=frames[i % len(frames)], frame_id=i, timestamp_ns=round(i * 1e9 / fps))
                await call.write(pb.StreamVideoRequest(frame=frame))
            await call.done_writing()

        async def receive_all() -> None:
            async for event in call:
                _take(event, time.monotonic(), sent)

        try:
            async with asyncio.timeout(None if until_s is None else until_s - time.monotonic()):
                await asyncio.gather(send_all(), receive_all())
        except TimeoutError:
            call.cancel()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            sent.error = f"{await call.code()} {await call.details()}"


def _take(event: pb.StreamVideoResponse, now: float, sent: Sent) -> None:
    kind = event.WhichOneof("event")
    sent.dropped = max(sent.dropped, event.dropped_frames)
    if kind == "pose":
        sent.pose_lag_s.setdefault(event.frame_id, now - sent.due_s[event.frame_id])
        sent.answered_s.append(now)
        sent.people = max(sent.people, len(event.pose.people))
    elif kind == "action":
        sent.actions += 1
        if sent.first_action_s is None:
            sent.first_action_s = now - sent.due_s[event.frame_id]
