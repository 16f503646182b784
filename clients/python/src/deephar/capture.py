"""Cameras and live addresses, read by PyAV."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from deephar.frames import Frame
from deephar.jpeg import JpegEncoder
from deephar.video import NotAVideo, NoVideoReader

if TYPE_CHECKING:
    from av.container import InputContainer


class Capture:
    """The frames of a camera or of a live address, as they come: JPEGs, with the time since the first one was read.

    Iterate once; give it to `stream` with `drop_policy="latest"`, so that a service that is slower than the camera
    always gets the newest frame. Needs PyAV.

    Args:
        source: "0" or 0 for the first camera (/dev/video0), the path of another device, or a URL: rtsp://, http://, ...
        options: Of FFmpeg's reader, for example {"framerate": "30", "video_size": "1280x720"} of a camera.
        timeout_s: Longest wait for the source to open, and for each frame.

    Raises:
        NoVideoReader: PyAV is not installed.
    """

    def __init__(self, source: str | int, options: dict[str, str] | None = None, timeout_s: float = 10.0) -> None:
        try:
            import av  # noqa: F401
        except ModuleNotFoundError as error:
            raise NoVideoReader.why() from error
        text = str(source)
        self.source = f"/dev/video{text}" if text.isdigit() else text
        self._options, self._timeout_s = options or {}, timeout_s
        self._container: InputContainer | None = None

    def __iter__(self) -> Iterator[Frame]:
        """Yields the frames until the source ends.

        Raises:
            NotAVideo: The source is not there, or no video.
        """
        import av

        live = {"rtsp_transport": "tcp", "fflags": "nobuffer", "flags": "low_delay"}
        options = (live if self.source.startswith("rtsp") else {}) | self._options
        kind = "v4l2" if self.source.startswith("/dev/video") else None
        try:
            with av.open(self.source, format=kind, options=options, timeout=self._timeout_s) as container:
                if not container.streams.video:
                    raise NotAVideo(f"{self.source} has no pictures in it")
                began_s, encoder = time.monotonic(), JpegEncoder()
                for number, frame in enumerate(container.decode(video=0)):
                    pixels = frame.to_ndarray(format="rgb24").astype("uint8", copy=False)
                    read_s = time.monotonic() - began_s
                    yield Frame(encoder.encode(pixels), read_s, number)
        except (av.FFmpegError, OSError) as error:
            raise NotAVideo(f"{self.source} cannot be read: {error}") from error
