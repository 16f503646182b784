"""Access to TensorRT and the GPU, through Polygraphy, NVIDIA's own layer over TensorRT 8 to 11."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.tensorrt_engine.problem import EngineProblem
from models.tensorrt_engine.recipe import Recipe

POLYGRAPHY = "0.53.6"
_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76  # CUdevice_attribute in cuda.h

Shape = tuple[int, ...]
Arrays = dict[str, NDArray[Any]]
Told = Callable[[str, float | None], None]


@dataclass(frozen=True)
class Gpu:
    name: str
    compute_capability: str  # such as 8.9


class TensorRT(Protocol):
    """An installed TensorRT with a GPU."""

    version: str
    gpu: Gpu

    def build(
        self,
        onnx: bytes,
        recipe: Recipe,
        shapes: Mapping[str, tuple[Shape, Shape, Shape]],
        timing_cache: Path,
        told: Told,
    ) -> bytes:
        """Builds an engine.

        Args:
            onnx: The prepared model.
            recipe: How its precision is requested.
            shapes: The smallest, usual and largest shape of each input, batch included.
            timing_cache: File of timings that later builds use.
            told: Called with what is done at present, and its share, where TensorRT tells them.

        Raises:
            EngineProblem: TensorRT failed.
        """

    def run(self, engine: bytes, batches: Sequence[Arrays]) -> list[Arrays]:
        """The engine's outputs for each of the batches of inputs.

        Raises:
            EngineProblem: TensorRT failed.
        """


def installed() -> TensorRT:
    """The installed TensorRT, with the first GPU.

    Raises:
        EngineProblem: TensorRT or a GPU is missing; the text says what to do.
    """
    try:
        version = importlib.import_module("tensorrt").__version__
        importlib.import_module("polygraphy")
    except ImportError as error:
        raise EngineProblem(
            f"TensorRT is not installed here ({error}). Either let Docker build the engines where they are served:\n"
            "  COMPOSE_PROFILES=gpu docker compose up\n"
            "or, on the machine with the GPU, install the TensorRT of the Triton that will serve them "
            "(`printenv TRT_VERSION` inside its container tells it):\n"
            f"  pip install tensorrt==VERSION polygraphy=={POLYGRAPHY}"
        ) from error
    gpu = _gpu()
    _show_cuda_runtime()
    return _Polygraphy(version, gpu)


def _gpu() -> Gpu:
    """The first GPU that CUDA shows (CUDA_VISIBLE_DEVICES counts), from the driver."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise EngineProblem(f"{_NO_GPU} ({error})") from error
    device, name = ctypes.c_int(), ctypes.create_string_buffer(256)
    _expect_success(cuda.cuInit(0))
    _expect_success(cuda.cuDeviceGet(ctypes.byref(device), 0))
    _expect_success(cuda.cuDeviceGetName(name, len(name), device))
    numbers = []
    for attribute in (_CAPABILITY_MAJOR, _CAPABILITY_MINOR):
        value = ctypes.c_int()
        _expect_success(cuda.cuDeviceGetAttribute(ctypes.byref(value), attribute, device))
        numbers.append(str(value.value))
    return Gpu(name.value.decode(), ".".join(numbers))


_NO_GPU = (
    "No NVIDIA GPU is to be seen here. Engines are built on the GPU that serves them: install NVIDIA's driver, "
    "and for Docker the NVIDIA Container Toolkit (docker run --gpus all)."
)


def _expect_success(status: int) -> None:
    if status != 0:
        raise EngineProblem(f"{_NO_GPU} (CUDA error {status})")


def _show_cuda_runtime() -> None:
    """pip puts CUDA 13's runtime where Polygraphy does not look; it does look where LD_LIBRARY_PATH says."""
    package = importlib.util.find_spec("nvidia")
    for place in (package and package.submodule_search_locations) or ():
        for file in sorted(Path(place).glob("*/lib/libcudart.so.*")):
            before = os.environ.get("LD_LIBRARY_PATH")
            os.environ["LD_LIBRARY_PATH"] = f"{file.parent}:{before}" if before else str(file.parent)


def _monitor(told: Told) -> Any:
    """Returns TensorRT's progress monitor; None where this TensorRT has none."""
    base: Any = getattr(importlib.import_module("tensorrt"), "IProgressMonitor", None)
    if base is None:
        return None

    class Monitor(base):
        """Tells of the phases at the top; those below them are many and short."""

        def __init__(self) -> None:
            super().__init__()
            self._steps: dict[str, int] = {}  # of phases at the top

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            if parent_phase is None:
                self._steps[phase_name] = num_steps
                told(phase_name, 0.0)

        def step_complete(self, phase_name: str, step: int) -> bool:
            if phase_name in self._steps:
                told(phase_name, min(1.0, (step + 1) / max(1, self._steps[phase_name])))
            return True  # otherwise the build ends

        def phase_finish(self, phase_name: str) -> None:
            self._steps.pop(phase_name, None)

    return Monitor()


class _Polygraphy:
    def __init__(self, version: str, gpu: Gpu) -> None:
        self.version, self.gpu = version, gpu
        self._trt = importlib.import_module("polygraphy.backend.trt")

    def build(
        self,
        onnx: bytes,
        recipe: Recipe,
        shapes: Mapping[str, tuple[Shape, Shape, Shape]],
        timing_cache: Path,
        told: Told,
    ) -> bytes:
        trt = self._trt
        told("building", None)
        profile = trt.Profile()
        for name, (smallest, usual, largest) in shapes.items():
            profile.add(name, min=smallest, opt=usual, max=largest)
        # TF32 stays off, as Polygraphy has it: what is said to be fp32 is fp32.
        config = trt.CreateConfig(
            profiles=[profile],
            fp16=recipe.flag == "fp16",
            bf16=recipe.flag == "bf16",
            load_timing_cache=str(timing_cache) if timing_cache.exists() else None,
            progress_monitor=_monitor(told),
        )
        network = trt.NetworkFromOnnxBytes(onnx, strongly_typed=recipe.strongly_typed)
        timing_cache.parent.mkdir(parents=True, exist_ok=True)
        build = trt.EngineBytesFromNetwork(network, config=config, save_timing_cache=str(timing_cache))
        return bytes(self._checked(build))

    def run(self, engine: bytes, batches: Sequence[Arrays]) -> list[Arrays]:
        def outputs() -> list[Arrays]:
            with self._trt.TrtRunner(self._trt.EngineFromBytes(engine)) as runner:
                # Copies: the runner uses its buffers again.
                return [{name: np.array(o) for name, o in runner.infer(batch).items()} for batch in batches]

        return self._checked(outputs)

    def _checked(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Exception as error:  # Polygraphy's, the bindings' and the loader's have nothing in common
            raise EngineProblem(f"TensorRT {self.version} failed: {error}. Its own messages are above.") from error
