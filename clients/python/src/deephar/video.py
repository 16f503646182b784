"""Frames of video files, as `Client.classify` and `Client.stream` take them. Needs PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from deephar.v1 import inference_pb2 as pb

if TYPE_CHECKING:
    import av


class NoVideoReader(ImportError):
    """PyAV, which reads video files, is not installed."""


class NotAVideo(ValueError):
    """The file is not a video that FFmpeg can decode."""


def frames_of(path: str, jpeg_quality: int = 2) -> Iterator[pb.Frame]:
    """Yields every frame of a video file as a JPEG, with its presentation time and its index as `frame_id`.

    Args:
        path: The video file.
        jpeg_quality: FFmpeg's scale, from 2 (best) to 31 (worst).

    Yields:
        Frames in order of time.

    Raises:
        NotAVideo: The file is not a video that FFmpeg can decode.
        OSError: The file cannot be opened.
        NoVideoReader: PyAV is not installed.
    """
    try:
        import av
    except ModuleNotFoundError as error:
        raise NoVideoReader('videos need PyAV, which is not installed: pip install "deephar-client[video]"') from error
    try:
        with av.open(path) as container:
            yield from _decoded(path, container, jpeg_quality)
    except OSError:
        raise
    except av.FFmpegError as error:
        raise NotAVideo(f"{path} is damaged or no video that FFmpeg can decode") from error


def _decoded(path: str, container: av.container.InputContainer, jpeg_quality: int) -> Iterator[pb.Frame]:
    if container.format.name == "image2" or container.format.name.endswith("_pipe"):
        raise NotAVideo(f"{path} is a picture; ask for its pose: deephar pose {path}")
    if not container.streams.video:
        raise NotAVideo(f"{path} has no pictures in it (sound only?)")
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    encoder = None
    for frame_id, frame in enumerate(container.decode(stream)):
        encoder = encoder or _jpeg_encoder(frame, stream.time_base, jpeg_quality)
        picture = frame.reformat(format="yuvj420p")
        picture.pts = None
        jpeg = b"".join(bytes(packet) for packet in encoder.encode(picture))
        time_s = float(frame.time) if frame.time is not None else frame_id / float(stream.average_rate or 25)
        yield pb.Frame(encoded=jpeg, frame_id=frame_id, timestamp_ns=round(time_s * 1e9))


def _jpeg_encoder(frame: av.VideoFrame, time_base: Fraction | None, jpeg_quality: int) -> av.VideoCodecContext:
    import av

    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "yuvj420p"
    encoder.time_base = time_base or Fraction(1, 25)
    encoder.options = {"qscale": str(jpeg_quality)}
    encoder.qmin = encoder.qmax = jpeg_quality
    return encoder
