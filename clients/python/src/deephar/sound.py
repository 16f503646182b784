"""The sound of a film for an MP4 file: its packets as they are where MP4 can hold them, and as AAC otherwise.

Needs PyAV.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from typing import TYPE_CHECKING

import av
from av.audio.resampler import AudioResampler
from av.bitstream import BitStreamFilterContext
from av.stream import Discard

from deephar.film import film_of

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet

_KEPT = ("aac", "mp3", "opus", "ac3", "eac3", "alac", "flac")  # codecs that players of MP4 know
_WITH_LATE_HEADERS = ("ac3", "eac3")  # in MP4 their header is made of the first packet
_AAC_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)
_AAC_RATE, _AAC_SAMPLES, _AAC_BITS = 48_000, 1024, 64_000  # the last: a second and channel
_TAIL_S = 10.0  # of sound after the last picture


class Sound:
    """The sound of a film, whose first picture has time 0.

    Args:
        source: The film's open file; nothing else reads it.
        stream: Its sound.
    """

    def __init__(self, source: InputContainer, stream: AudioStream) -> None:
        self._source, self._stream = source, stream
        self._zero_s = _first_picture_s(source)
        codec = stream.codec_context.codec.canonical_name
        self._is_kept = codec in _KEPT
        self._has_adts = codec == "aac" and not stream.codec_context.extradata  # as in MPEG's transport streams
        # Whether the header of the MP4 file can be written only with the first packet of the sound.
        self.needs_late_header = codec in _WITH_LATE_HEADERS or self._has_adts
        self._packets: Iterator[tuple[Packet[AudioStream], float]] | None = None
        self._next: tuple[Packet[AudioStream], float] | None = None
        self._target: AudioStream | None = None
        self._container: OutputContainer | None = None

    @staticmethod
    def of(source: InputContainer) -> Sound | None:
        """Returns the sound of an open file; None: it has none, or none that can be decoded."""
        best = source.streams.best("audio")
        stream = next((stream for stream in source.streams.audio if stream is best), None)
        if stream is None or stream.codec_context is None or not stream.codec_context.sample_rate:
            return None
        for other in source.streams:
            if other is not stream:
                other.discard = Discard.all  # not even read, where the file has an index
        return Sound(source, stream)

    def add_to(self, container: OutputContainer) -> None:
        """Adds the sound's stream to an MP4 file, which has not begun."""
        self._container = container
        codec = self._stream.codec_context
        if self._is_kept:
            self._target = container.add_stream_from_template(self._stream)
            self._packets = self._copied()
            return
        rate = codec.sample_rate if codec.sample_rate in _AAC_RATES else _AAC_RATE
        layout = "mono" if codec.channels == 1 else "stereo"
        bits = _AAC_BITS * (1 if layout == "mono" else 2)
        self._target = container.add_stream("aac", rate=rate, layout=layout, bit_rate=bits)
        self._packets = self._encoded(AudioResampler("fltp", layout, rate, _AAC_SAMPLES))

    def write_until(self, time_s: float) -> None:
        """Writes the packets that begin before a time."""
        assert self._container is not None
        while self._packets is not None:
            if self._next is None:
                self._next = next(self._packets, None)
                if self._next is None:
                    self._packets = None
                    return
            packet, begins_s = self._next
            if begins_s >= time_s:
                return
            self._next = None
            self._container.mux(packet)

    def write_rest(self, last_s: float) -> None:
        """Writes what goes on after the last picture, for a few seconds at most."""
        self.write_until(last_s + _TAIL_S)

    def close(self) -> None:
        """Lets go of both files."""
        self._packets = self._next = None

    def _copied(self) -> Iterator[tuple[Packet[AudioStream], float]]:
        """Yields the source's packets in order, with their beginnings in seconds; those before time 0 are left out."""
        assert self._target is not None
        base = self._stream.time_base
        assert base is not None
        shift, last = round(self._zero_s / base), -1
        for packet in self._bare() if self._has_adts else self._read():
            if packet.pts is None or packet.dts is None:
                continue
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            if packet.pts < 0 or packet.dts <= last:
                continue
            last = packet.dts
            packet.stream = self._target
            yield packet, float(packet.dts * base)

    def _bare(self) -> Iterator[Packet[AudioStream]]:
        """Yields the packets without the headers that MP4 has once for all."""
        bare = BitStreamFilterContext("aac_adtstoasc", self._stream)
        for packet in self._read():
            with suppress(av.FFmpegError):  # damaged
                yield from bare.filter(packet)

    def _encoded(self, resampler: AudioResampler) -> Iterator[tuple[Packet[AudioStream], float]]:
        """Yields the sound as packets of AAC, as `_copied`."""
        assert self._target is not None
        encoder = self._target.codec_context
        last = -1
        for frame in self._resampled(resampler):
            for packet in encoder.encode(frame):
                if packet.dts is not None and packet.pts is not None and packet.time_base and packet.dts > last:
                    last = packet.dts
                    packet.stream = self._target
                    yield packet, float(packet.dts * packet.time_base)

    def _resampled(self, resampler: AudioResampler) -> Iterator[AudioFrame | None]:
        """Yields frames for the encoder, and None at the end."""
        for packet in self._read():
            try:
                decoded = packet.decode()
            except av.FFmpegError:
                continue  # damaged
            for frame in decoded:
                if frame.pts is None or frame.time_base is None:
                    continue
                frame.pts -= round(self._zero_s / frame.time_base)
                if frame.pts >= 0:
                    yield from resampler.resample(frame)
        yield from resampler.resample(None)
        yield None

    def _read(self) -> Iterator[Packet[AudioStream]]:
        """Yields the packets of the source, until it ends or cannot be read on."""
        packets = self._source.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.FFmpegError):
                return
            if packet.size:
                yield packet


def _first_picture_s(source: InputContainer) -> Fraction:
    """Returns the source's time of the first picture, in seconds."""
    film = film_of(source)
    if film is None or film.start_time is None or film.time_base is None:
        return Fraction(0)
    return film.start_time * film.time_base
