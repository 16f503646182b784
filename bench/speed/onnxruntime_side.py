"""ONNX Runtime in a process of its own, in the environment that has it: networks in fp32, one after the other."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.testing.running import ROOT

# Says "ready", then the seconds of one go through all networks for every line it reads.
_PROGRAM = """
import sys, time, numpy, onnxruntime
batch, runs = int(sys.argv[1]), []
types = {"tensor(uint8)": numpy.uint8, "tensor(float)": numpy.float32}
for file in sys.argv[2:]:
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    size = batch if "_frame" in file else 1
    feed = {i.name: numpy.ones((size, *i.shape[1:]), types[i.type]) for i in session.get_inputs()}
    runs.append((session, feed))
def go():
    for session, feed in runs:
        session.run(None, feed)
go()
print("ready", flush=True)
for _ in sys.stdin:
    began = time.perf_counter()
    go()
    print(time.perf_counter() - began, flush=True)
"""


class OnnxRuntime:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def seconds(self) -> float:
        """Runs the networks once, and returns how long it took."""
        assert self._process.stdin is not None
        print(file=self._process.stdin, flush=True)
        return float(self.line())

    def line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def onnxruntime_with(batch: int, *networks: Path) -> Iterator[OnnxRuntime]:
    """Yields ONNX Runtime with these networks loaded. Frame networks run in batches of `batch` pictures."""
    files = [str(network / "1" / "model.onnx") for network in networks]
    python = str(ROOT / ".venv-bench" / "bin" / "python")
    with subprocess.Popen(
        [python, "-c", _PROGRAM, str(batch), *files], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        other = OnnxRuntime(process)
        other.line()
        yield other
        assert process.stdin is not None
        process.stdin.close()
