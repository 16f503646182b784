"""Uploaded videos that are answered as annotated ones, against the real service with the real embedded Triton."""

from __future__ import annotations

import io
import itertools
import json
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import av
import cv2
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from service.testing.running import ServiceProcess
from tests.integration.callers import post
from tests.integration.process_size import memory_mb, open_files
from tests.integration.waiting import wait_for
from tests.videos import pictures_of, sound_of, video

MP4 = {"accept": "video/mp4"}


def annotated(service: ServiceProcess, data: bytes, **options: str) -> bytes:
    answer = post(service, "/v1/actions", files={"video": data}, data=options, headers=MP4)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "video/mp4"
    return answer.content


def streams(service: ServiceProcess) -> float:
    """Videos in work."""
    lines = httpx.get(f"{service.url}/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("deephar_streams "))


@pytest.fixture(scope="module")
def clip_with_sound(clip_mp4: bytes) -> bytes:
    """The sample with a tone as AAC."""
    return rewritten(clip_mp4, sound=True)


def rewritten(clip: bytes, sound: bool = False, size: tuple[int, int] = (640, 480), repeat: int = 1) -> bytes:
    """A video again, with sound, in another size, or several times."""
    buffer = io.BytesIO()
    pictures = [
        cv2.resize(picture, size) if picture.shape[1::-1] != size else picture for _, picture in pictures_of(clip)
    ]
    with av.open(buffer, "w", format="mp4") as out:
        film = out.add_stream("libx264", rate=25, width=size[0], height=size[1], options={"preset": "ultrafast"})
        tone = out.add_stream("aac", rate=48_000, layout="mono") if sound else None
        for i, picture in enumerate(itertools.chain.from_iterable(itertools.repeat(pictures, repeat))):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, 25)
            out.mux(film.encode(frame))
        out.mux(film.encode(None))
        if tone is not None:
            for start in range(0, len(pictures) * repeat * 48_000 // 25, 1024):
                wave = np.sin((start + np.arange(1024)) * 440 * 2 * np.pi / 48_000).astype(np.float32)[None] / 4
                heard = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
                heard.sample_rate, heard.pts, heard.time_base = 48_000, start, Fraction(1, 48_000)
                out.mux(tone.encode(heard))
            out.mux(tone.encode(None))
    return buffer.getvalue()


def drawn(before: NDArray[Any], after: NDArray[Any]) -> NDArray[np.bool_]:
    """Where a frame is another one, beyond what an encoder does."""
    far: NDArray[np.bool_] = np.abs(before.astype(int) - after.astype(int)).max(axis=2) > 60
    return far


def test_every_frame_has_the_skeleton_and_the_action_at_its_own_time(service: ServiceProcess, clip_mp4: bytes) -> None:
    before, after = pictures_of(clip_mp4), pictures_of(annotated(service, clip_mp4))
    assert [time_s for time_s, _ in after] == pytest.approx([time_s for time_s, _ in before], abs=1e-3)
    for (_, bare), (_, picture) in zip(before, after, strict=True):
        change = drawn(bare, picture)
        rows, columns = np.nonzero(change)
        assert 0.005 < change.mean() < 0.1
        assert 200 < columns.mean() < 440  # around the person
        caption = picture[80:120, 230:400].min(axis=2)  # above the head, from the first frame on
        assert (caption > 200).any()
        assert rows.max() > 350  # ankles


def test_ids_stand_in_the_captions_of_all_people(service: ServiceProcess, clip_mp4: bytes) -> None:
    main, everybody = annotated(service, clip_mp4), annotated(service, clip_mp4, people="all")
    assert len(pictures_of(everybody)) == 100
    change = drawn(pictures_of(main)[50][1], pictures_of(everybody)[50][1])
    assert change[60:130].sum() > 20  # the caption is another one
    assert change[130:].mean() < 0.01


def test_sound_is_kept_packet_by_packet(service: ServiceProcess, clip_with_sound: bytes) -> None:
    codec, sent = sound_of(clip_with_sound)
    kept, got = sound_of(annotated(service, clip_with_sound))
    assert kept == codec == "aac"
    assert [packet for _, packet in got] == [packet for _, packet in sent[-len(got) :]]
    assert len(got) >= len(sent) - 1


def test_rotated_videos_are_drawn_upright(service: ServiceProcess, clip_mp4: bytes) -> None:
    upright = annotated(service, clip_mp4)
    lying = annotated(service, rotated(clip_mp4))
    ((_, one), *_), ((_, other), *_) = pictures_of(upright), pictures_of(lying)
    assert other.shape == one.shape
    assert drawn(one, other).mean() < 0.01


def rotated(clip: bytes) -> bytes:
    """A video whose pictures lie on their side, with the matrix that sets them up."""
    data = bytearray(turned(clip))
    unit = b"\x00\x01\x00\x00" + bytes(12) + b"\x00\x01\x00\x00" + bytes(12) + b"\x40\x00\x00\x00"
    at = data.index(unit, data.index(b"tkhd"))
    zero, one, minus = bytes(4), b"\x00\x01\x00\x00", b"\xff\xff\x00\x00"
    data[at : at + 36] = zero + one + zero + minus + zero + zero + zero + zero + b"\x40\x00\x00\x00"
    return bytes(data)


def turned(clip: bytes) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        film = out.add_stream("libx264", rate=25, width=480, height=640, options={"crf": "15"})
        for i, (_, picture) in enumerate(pictures_of(clip)):
            lying = np.ascontiguousarray(np.rot90(picture))
            frame = av.VideoFrame.from_ndarray(lying, format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, 25)
            out.mux(film.encode(frame))
        out.mux(film.encode(None))
    return buffer.getvalue()


def test_frames_are_answered_as_a_video_too(service: ServiceProcess, clip_mp4: bytes) -> None:
    pictures = [picture for _, picture in pictures_of(clip_mp4)][::2][:30]
    files = [("frames", cv2.imencode(".jpg", picture[..., ::-1])[1].tobytes()) for picture in pictures]
    files[5] = ("frames", cv2.imencode(".jpg", cv2.resize(pictures[5], (320, 300))[..., ::-1])[1].tobytes())
    answer = post(service, "/v1/actions", files=files, data={"fps": "12.5"}, headers=MP4)
    assert answer.status_code == 200, answer.text
    frames = pictures_of(answer.content)
    assert [time_s for time_s, _ in frames] == pytest.approx([i / 12.5 for i in range(30)], abs=1e-3)
    assert {picture.shape for _, picture in frames} == {(480, 640, 3)}
    assert drawn(pictures[10], frames[10][1]).mean() > 0.005


@pytest.mark.parametrize("times_s", [[0.0, 0.03], [0, 0.5, 0.52, 1.7, 4.0, 4.01]])
def test_videos_of_any_times_without_anybody_come_back(service: ServiceProcess, times_s: list[float]) -> None:
    frames = pictures_of(annotated(service, video(times_s, (66, 50))))
    assert [time_s for time_s, _ in frames] == pytest.approx(times_s, abs=2e-3)


@pytest.mark.parametrize(
    ("method", "path", "accept"),
    [
        ("POST", "/v1/pose", "video/mp4"),
        ("POST", "/v1/actions", "image/jpeg"),
        ("POST", "/v1/actions", "video/webm"),
        ("POST", "/v1/actions", "video/mp4;q=0"),
        ("GET", "/v1/models", "image/png"),
        ("GET", "/v1/models/lite", "video/*"),
        ("GET", "/v1/limits", "text/html"),
        ("GET", "/readyz", "image/png"),
        ("GET", "/metrics", "application/json"),
    ],
)
def test_what_cannot_be_served_is_406(
    service: ServiceProcess, clip_mp4: bytes, method: str, path: str, accept: str
) -> None:
    content = clip_mp4 if method == "POST" else None
    answer = httpx.request(method, f"{service.url}{path}", content=content, headers={"accept": accept}, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("video/*", "video/mp4"),
        ("*/*", "application/json"),
        ("video/mp4;q=0.5, */*", "application/json"),
        ("application/json;q=0.1, video/mp4", "video/mp4"),
        ("image/png, application/*;q=0.2", "application/json"),
        ("application/json;q=0, */*", "application/x-ndjson"),
    ],
)
def test_the_best_of_what_is_taken_is_answered(service: ServiceProcess, accept: str, kind: str) -> None:
    answer = post(service, "/v1/actions", content=video([0, 0.1, 0.2]), headers={"accept": accept})
    assert answer.headers["content-type"].startswith(kind)


def test_what_is_wrong_before_the_first_frame_is_a_problem(service: ServiceProcess, clip_mp4: bytes) -> None:
    for content, query, status in ((b"no video", "", 422), (clip_mp4, "?model=none", 404), (clip_mp4, "?hop=99", 422)):
        answer = post(service, f"/v1/actions{query}", content=content, headers=MP4)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_an_error_after_the_first_part_cuts_the_answer_off(service: ServiceProcess, clip_mp4: bytes) -> None:
    long = rewritten(clip_mp4, repeat=10)
    began, mark = time.monotonic(), service.log.stat().st_size
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        post(service, "/v1/actions?deadline_ms=2500", content=long, headers=MP4)
    assert time.monotonic() - began < 20
    assert wait_for(lambda: streams(service) == 0, 5)
    log = service.log.read_text()[mark:]
    assert "was cut off: the answer was not there in the time" in log
    assert "Traceback" not in log


def test_the_openapi_document_names_the_type(service: ServiceProcess) -> None:
    document = json.loads(httpx.get(f"{service.url}/openapi.json").text)
    assert "video/mp4" in document["paths"]["/v1/actions"]["post"]["responses"]["200"]["content"]


@pytest.mark.parametrize("callers", [2, 6])
def test_several_at_once_get_what_one_alone_gets(service: ServiceProcess, clip_mp4: bytes, callers: int) -> None:
    with ThreadPoolExecutor(callers) as pool:
        answers = list(pool.map(lambda _: annotated(service, clip_mp4), range(callers)))
    for answer in answers:
        frames = pictures_of(answer)
        assert len(frames) == 100
        assert (frames[50][1][80:120, 230:400].min(axis=2) > 200).any()


def test_a_caller_who_leaves_frees_everything(service: ServiceProcess, clip_mp4: bytes) -> None:
    long = rewritten(clip_mp4, sound=True, repeat=10)
    assert wait_for(lambda: streams(service) == 0, 5)
    files = open_files(service)
    for _ in range(3):
        with httpx.stream("POST", f"{service.url}/v1/actions", content=long, headers=MP4, timeout=60) as answer:
            next(answer.iter_raw())
            assert wait_for(lambda: streams(service) == 1, 5)  # the one before has ended
    assert wait_for(lambda: streams(service) == 0, 5)
    assert wait_for(lambda: open_files(service) <= files + 1, 5)


@pytest.mark.long
def test_memory_does_not_grow_with_the_length(service: ServiceProcess, clip_mp4: bytes) -> None:
    long = rewritten(clip_mp4, sound=True, size=(1280, 720), repeat=15)  # 60 s
    annotated(service, rewritten(clip_mp4, size=(1280, 720)))
    before, most, began = memory_mb(service), 0.0, time.monotonic()
    first_s = None
    with httpx.stream("POST", f"{service.url}/v1/actions", content=long, headers=MP4, timeout=120) as answer:
        assert answer.status_code == 200
        parts = []
        for part in answer.iter_raw():
            first_s = first_s or time.monotonic() - began
            parts.append(part)
            most = max(most, memory_mb(service))
    data = b"".join(parts)
    with av.open(io.BytesIO(data), "r") as container:
        assert sum(bool(packet.size) for packet in container.demux(video=0)) == 1500
    assert first_s is not None
    assert first_s < (time.monotonic() - began) / 4  # long before the last
    assert most < before + 200  # a second of these pictures takes 69 MB


@pytest.mark.long
@pytest.mark.parametrize(("query", "headers"), [("", MP4), ("", {}), ("?format=csv", {}), ("?format=trc", {})])
def test_memory_does_not_grow_with_the_number_of_videos(
    service: ServiceProcess, clip_mp4: bytes, query: str, headers: dict[str, str]
) -> None:
    video = rewritten(clip_mp4, size=(1280, 720), repeat=3)  # 12 s

    def ask(times: int) -> float:
        for _ in range(times):
            answer = post(service, f"/v1/actions{query}", content=video, headers=headers)
            assert answer.status_code == 200, answer.text
        return memory_mb(service)

    early = ask(8)  # till then each thread comes to hold what it needs
    late = ask(16)
    print(f"{query or headers}: {early:.0f} MB after 8 videos, {late:.0f} MB after 24")
    assert late < early + 60


@pytest.mark.faults
def test_a_slow_reader_holds_the_work_back(service: ServiceProcess, clip_mp4: bytes) -> None:
    long = rewritten(clip_mp4, size=(1280, 720), repeat=15)
    with httpx.stream("POST", f"{service.url}/v1/actions", content=long, headers=MP4, timeout=60) as answer:
        parts = answer.iter_raw(1000)
        next(parts)
        time.sleep(4)
        used = cpu_s(service)
        time.sleep(1.5)
        assert cpu_s(service) - used < 0.75  # it waits
    assert wait_for(lambda: streams(service) == 0, 5)


def cpu_s(service: ServiceProcess) -> float:
    """Seconds that the gateway has worked."""
    with open(f"/proc/{service.process.pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
