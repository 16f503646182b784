"""Fuzzing of one decoder, led by the coverage of the service's code: python -m tests.fuzz.targets pictures --runs=1000.

libFuzzer ends the process, so each target has one of its own: with 0 when all inputs were taken, with another status
and the input in `--keep` when one crashed, raised anything but an error of the service, took over ten seconds, or when
memory grew.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import logging
import random
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["service", "python_multipart", "starlette.formparsers"]):
    from tests.fuzz import decoders, transports

from tests.fuzz import seeds
from tests.fuzz.amount import TARGETS
from tests.integration.process_size import memory_of_mb

_LONGEST = {"pictures": 2**16, "videos": 2**17, "bodies": 2**15, "frames": 2**15, "messages": 2**15}
_SEED_SHARE = 4  # of so many inputs one is a seed, at most
_HANG_S, _MOST_MB = 10, 2048
_GROWTH_MB = 100  # from the first quarter on
_PNG = b"\x89PNG\r\n\x1a\n"


class Watched:
    """Calls a target, and compares the memory after the first quarter of all inputs with that at the end."""

    def __init__(self, target: Callable[[bytes], bool], runs: int) -> None:
        self._target, self._runs = target, runs
        self._count = self._answered = 0
        self._early_mb = 0.0

    def __call__(self, data: bytes) -> None:
        self._answered += self._target(data)
        self._count += 1
        if self._count == self._runs // 4:
            self._early_mb = _resident_mb()
        if self._count == self._runs:
            early_mb, now_mb = self._early_mb, _resident_mb()
            print(f"{self._answered} of {self._count} inputs had an answer; {early_mb:.0f} MB, later {now_mb:.0f} MB")
            sys.stdout.flush()
            assert self._answered, "nothing was read to its end"
            assert now_mb - early_mb < _GROWTH_MB, "memory grew"


def _resident_mb() -> float:
    """Returns the memory that is in use: what was freed goes back to the kernel before."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return memory_of_mb("self")


def _mutated(data: bytes, longest: int, seed: int) -> bytes:
    """Mutates an input as libFuzzer does. Half of the time a PNG gets right checksums: without, it is not read on."""
    changed = bytes(atheris.Mutate(data, longest))
    return _with_checksums(changed) if seed % 2 and changed.startswith(_PNG) else changed


def _with_checksums(png: bytes) -> bytes:
    mended, place = bytearray(png), len(_PNG)
    while place + 12 <= len(png):
        end = place + 8 + int.from_bytes(png[place : place + 4], "big")
        if end + 4 > len(png):
            break
        mended[end : end + 4] = zlib.crc32(png[place + 4 : end]).to_bytes(4)
        place = end + 4
    return bytes(mended)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--runs", type=int, default=1000, help="number of inputs")
    parser.add_argument("--seed", type=int, default=1, help="of all that is random")
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"), help="where an input that fails is written")
    parser.add_argument("input", type=Path, nargs="*", help="only these files, as one that failed")
    options = parser.parse_args()
    logging.disable(0 if options.input else logging.CRITICAL)
    name: str = options.target
    target = getattr(decoders, name, None) or getattr(transports.Transports(), name)
    if options.input:
        for path in options.input:
            target(path.read_bytes())
        return
    options.keep.mkdir(parents=True, exist_ok=True)
    found = getattr(seeds, name)()
    chosen = random.Random(options.seed).sample(found, min(len(found), options.runs // _SEED_SHARE))
    with tempfile.TemporaryDirectory() as corpus:
        for i, data in enumerate(chosen):
            (Path(corpus) / f"{i:04}").write_bytes(data)
        arguments = {
            "runs": options.runs,
            "seed": options.seed,
            "timeout": _HANG_S,
            "rss_limit_mb": _MOST_MB,
            "max_len": _LONGEST[name],
            "len_control": 0,
            "artifact_prefix": f"{options.keep}/{name}-",
            "verbosity": 0,
        }
        command = [sys.argv[0], *(f"-{key}={value}" for key, value in arguments.items()), corpus]
        atheris.Setup(command, Watched(target, options.runs), custom_mutator=_mutated)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
