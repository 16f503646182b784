"""Frames of video files, as `Client.classify` and `Client.stream` take them. Needs PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from deephar.v1 import inference_pb2 as pb

if TYPE_CHECKING:
    import av

    from deephar.film import Film


class NoVideoReader(ImportError):
    """PyAV, which reads video files, is not installed."""


class NotAVideo(ValueError):
    """The file is not a video that FFmpeg can decode."""


def frames_of(path: str, jpeg_quality: int = 2) -> Iterator[pb.Frame]:
    """Yields every frame of a video file as a JPEG, as a player shows it, with its time and its index as `frame_id`.

    Args:
        path: The video file.
        jpeg_quality: FFmpeg's scale, from 2 (best) to 31 (worst).

    Yields:
        Frames in order of time, which begins with the first one.

    Raises:
        NotAVideo: The file is not a video that FFmpeg can decode.
        OSError: The file cannot be opened.
        NoVideoReader: PyAV is not installed.
    """
    try:
        import av

        from deephar.film import Film, film_of, pictures_of
    except ModuleNotFoundError as error:
        raise NoVideoReader('videos need PyAV, which is not installed: pip install "deephar-client[video]"') from error
    try:
        with av.open(path) as container:
            if container.format.name == "image2" or container.format.name.endswith("_pipe"):
                raise NotAVideo(f"{path} is a picture; ask for its pose: deephar pose {path}")
            if not pictures_of(container):
                raise NotAVideo(f"{path} has no pictures in it (sound only?)")
            stream = film_of(container)
            if stream is None:
                raise NotAVideo(f"FFmpeg has no decoder for the pictures in {path}")
            stream.thread_type = "AUTO"
            yield from _encoded(Film(container, stream), jpeg_quality)
    except OSError:
        raise
    except av.FFmpegError as error:
        raise NotAVideo(f"{path} is damaged or no video that FFmpeg can decode") from error


def _encoded(film: Film, jpeg_quality: int) -> Iterator[pb.Frame]:
    import av

    encoder, count = None, 0
    for read in film.frames():
        if read is None:
            continue
        frame, time_ns = read
        encoder = encoder or _jpeg_encoder(film.size, jpeg_quality)
        picture = av.VideoFrame.from_ndarray(film.picture(frame), format="rgb24").reformat(format="yuvj420p")
        jpeg = b"".join(bytes(packet) for packet in encoder.encode(picture))
        yield pb.Frame(encoded=jpeg, frame_id=count, timestamp_ns=time_ns)
        count += 1


def _jpeg_encoder(size: tuple[int, int], jpeg_quality: int) -> av.VideoCodecContext:
    import av

    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = *size, "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"qscale": str(jpeg_quality)}
    encoder.qmin = encoder.qmax = jpeg_quality
    return encoder
