"""What fuzzing starts from: real inputs of each kind, odd ones among them."""

from __future__ import annotations

import base64
import gzip
import json
import struct
import zlib

from deephar.v1 import inference_pb2 as pb

from tests import odd_pictures, odd_videos
from tests.conftest import SAMPLES
from tests.fuzz.records import BINARY, LEAVE, TEXT, written
from tests.picture_files import file
from tests.pictures import encoded, huge_png, many_scans
from tests.videos import sound_only, video

_BOX = "[[10, 5, 30, 20]]"


def pictures() -> list[bytes]:
    person = (SAMPLES / "person.jpg").read_bytes()
    return [case.data for case in odd_pictures.all_of_them()] + [person, huge_png(20_000), many_scans(32, 200)]


def videos() -> list[bytes]:
    sample = (SAMPLES / "jumping_jacks.mp4").read_bytes()
    return [case.data for case in odd_videos.all_of_them()] + [sample, sound_only(), b"GIF89a"]


def _small() -> tuple[list[bytes], bytes]:
    """Returns pictures of few bytes, one of each kind, and such a video."""
    kinds = [encoded(kind) for kind in ("JPEG", "PNG", "WEBP", "BMP")]
    return [*kinds, odd_pictures.HEIC], video([0.0, 0.1, 0.2, 0.3], size=(32, 32))


def bodies() -> list[bytes]:
    """Posts of forms, of JSON and of raw files, plain and compressed."""
    images, film = _small()
    found = [_post("pose", "image/jpeg", image) for image in images]
    found += [_post("actions", "video/mp4", film), _post("actions?hop=4&top_k=2", "", film)]
    for charset in ("", "; charset=utf-8", "; charset=iso-8859-1"):
        found.append(_post("pose", f"multipart/form-data; boundary=b{charset}", _form(image=images[0], boxes=_BOX)))
    options = _form(image=images[1], flip="true", layout="coco17", min_score="0.2")
    found.append(_post("pose", "multipart/form-data; boundary=b", options))
    camera = '{"fx": 1, "fy": 1, "cx": 1, "cy": 1, "root_depth_mm": [1000]}'
    found.append(
        _post(
            "pose", "multipart/form-data; boundary=b", _form(image=images[2], camera=camera, boxes=_BOX, model="lite")
        )
    )
    frames = _form(frames=images[0], timestamps_ms="[0]")
    found.append(_post("actions", "multipart/form-data; boundary=b", frames))
    two = _form(frames=images[0]).removesuffix(b"--b--\r\n") + _form(frames=images[1], fps="10")
    found.append(_post("actions", "multipart/form-data; boundary=b", two))
    found.append(_post("actions", "multipart/form-data; boundary=b", _form(video=film, people="all")))
    several = _form(image=images[0]).removesuffix(b"--b--\r\n") + _form(image=b"no picture")
    found.append(_post("pose", "multipart/form-data; boundary=b", several))
    for text in (base64.b64encode(images[0]).decode(), "data:image/png;base64," + base64.b64encode(images[1]).decode()):
        document = {"image": text, "boxes": [[1, 2, 30, 20]], "effort": "best", "max_people": 1}
        found.append(_post("pose", "application/json", json.dumps(document).encode()))
    document = {"video": base64.urlsafe_b64encode(film).decode(), "people": "main", "smooth": False, "deadline_ms": 1e5}
    plain = json.dumps(document).encode()
    found.append(_post("actions", "application/json", plain))
    found.append(_post("actions", "application/json\ncontent-encoding: gzip", gzip.compress(plain)))
    found.append(_post("actions", "application/json\ncontent-encoding: deflate", zlib.compress(plain)))
    for accept in ("image/png", "image/jpeg;q=0.5, text/html;q=0.1", "application/x-ndjson"):
        found.append(_post("pose", f"image/png\naccept: {accept}", images[1]))
        found.append(_post("actions", f"video/mp4\naccept: {accept}\nx-request-timeout: 2.5s", film))
    return found


def _post(path: str, content_type: str, body: bytes) -> bytes:
    return f"{path}\ncontent-type: {content_type}\n\n".encode() + body


def _form(**parts: str | bytes) -> bytes:
    body = b""
    for name, value in parts.items():
        named = f'--b\r\nContent-Disposition: form-data; name="{name}"'.encode()
        if isinstance(value, bytes):
            body += named + b'; filename="x"\r\nContent-Type: image/png\r\n\r\n' + value + b"\r\n"
        else:
            body += named + b"\r\n\r\n" + value.encode() + b"\r\n"
    return body + b"--b--\r\n"


def frames() -> list[bytes]:
    """WebSocket messages of whole streams, and of some that go wrong."""
    pictures = [file(odd_pictures.picture(), kind) for kind in ("JPEG", "PNG", "WEBP")]
    sent = [(BINARY, _header(i, 40_000_000 * i) + pictures[i % 3]) for i in range(12)]
    raw = [(BINARY, _header(i, 100_000_000 * i, 4, 2) + bytes([20 * i]) * 24) for i in range(4)]
    boxes = _text("boxes", boxes=[{"id": 1, "box": [0, 0, 40, 40]}, {"id": 4_000_000_000, "box": [9, 9, 30, 30]}])
    options = {"hop": 2, "top_k": 3, "layout": "coco17", "want_keypoints": True, "drop_policy": "latest"}
    return [
        written([_text("config"), *sent]),
        written([_text("config", **options), *sent[:4], _text("flush"), *sent[4:], _text("end")]),
        written([_text("config", people="all", max_people=2, smooth=False, effort="fast"), *raw, *sent[6:]]),
        written([_text("config", people="boxes", model="lite"), boxes, sent[0], boxes, sent[1], sent[2]]),
        written([_text("config", boxes=[[0, 0, 40, 40]], deadline_ms=500), *sent[:3], (LEAVE, b"")]),
        written([_text("config"), (BINARY, b"short"), (BINARY, _header(1, -(2**63), 2**32 - 1, 2**32 - 1)), sent[0]]),
        written([_text("flush")]),
        written([(TEXT, b'{"type": "config", "modle": 1}')]),
        written([sent[0], _text("config")]),
    ]


def _text(kind: str, **rest: object) -> tuple[int, bytes]:
    return TEXT, json.dumps({"type": kind, **rest}).encode()


def _header(frame_id: int, time_ns: int, width: int = 0, height: int = 0) -> bytes:
    return struct.pack(">QqII", frame_id, time_ns, width, height)


def messages() -> list[bytes]:
    """Calls of gRPC's methods: the method, then its messages."""
    jpeg, png = (file(odd_pictures.picture(), kind) for kind in ("JPEG", "PNG"))
    box, odd = (
        pb.Box(x=1, y=2, width=30, height=20),
        pb.Box(x=float("nan"), y=-1e300, width=1e-300, height=float("inf")),
    )
    camera = pb.Camera(fx=1000, fy=1000, cx=32, cy=24, root_depth_mm=[3000])
    poses = [
        pb.EstimatePoseRequest(image=jpeg),
        pb.EstimatePoseRequest(image=png, model="lite", boxes=[box, box], layout="mpii16", camera=camera),
        pb.EstimatePoseRequest(image=jpeg, boxes=[odd], flip=True, max_people=2**32 - 1, min_score=float("nan")),
        pb.EstimatePoseRequest(image=jpeg, max_people=1, flip=True, min_score=0.1, effort=pb.EFFORT_BEST),
        pb.EstimatePoseRequest(image=b"GIF89a", model="x" * 300),
    ]
    raw = pb.RawImage(rgb=bytes(24), width=4, height=2)
    frames = [
        pb.Frame(encoded=jpeg if i % 2 else png, frame_id=i, timestamp_ns=50_000_000 * i, boxes=[_tracked(i % 2, box)])
        for i in range(10)
    ]
    frames[4] = pb.Frame(raw=raw, frame_id=2**64 - 1, timestamp_ns=2**62)
    frames[7] = pb.Frame(timestamp_ns=-(2**63), boxes=[_tracked(2**32 - 1, odd)])
    configs = [
        pb.StreamConfig(),
        pb.StreamConfig(model="lite", hop=2, top_k=3, layout="coco17", want_keypoints=True, box=box),
        pb.StreamConfig(following=pb.FOLLOWING_BOXES, drop_policy=pb.DROP_POLICY_LATEST, smooth=False),
        pb.StreamConfig(following=pb.FOLLOWING_ALL, max_people=3, effort=pb.EFFORT_FAST, deadline_ms=100),
        pb.StreamConfig(hop=2**32 - 1, top_k=2**32 - 1, max_people=2**32 - 1, box=odd, deadline_ms=float("nan")),
    ]
    found = [b"\0" + _written(pb.ListModelsRequest())] + [b"\1" + _written(pose) for pose in poses]
    for method in (b"\2", b"\3"):
        for config in configs:
            sent = [pb.StreamVideoRequest(frame=frame) for frame in frames]
            sent.insert(6, pb.StreamVideoRequest(flush=pb.Flush()))
            found.append(method + _written(pb.StreamVideoRequest(config=config), *sent))
        found.append(method + _written(pb.StreamVideoRequest(frame=frames[0])))
    return found


def _tracked(number: int, box: pb.Box) -> pb.TrackedBox:
    return pb.TrackedBox(id=number, box=box)


def _written(*sent: pb.StreamVideoRequest | pb.EstimatePoseRequest | pb.ListModelsRequest) -> bytes:
    return written((BINARY, message.SerializeToString()) for message in sent)
