"""A machine with a GPU for `deephar-models engine`, where there is none: ONNX Runtime takes TensorRT's place."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray

from models import cli
from models.tensorrt_engine import library
from models.tensorrt_engine.problem import EngineProblem
from models.tensorrt_engine.recipe import Recipe

ROOT = Path(__file__).resolve().parent.parent.parent.parent
REPOSITORY = ROOT / "model_repository"
Arrays = dict[str, NDArray[Any]]


class OnnxRuntimeInstead:
    """Takes TensorRT's place; `spoil` changes what its engines say."""

    def __init__(self, version: str) -> None:
        self.version, self.gpu = version, library.Gpu("NVIDIA L4", "8.9")
        self.built: list[tuple[Recipe, Mapping[str, Any]]] = []
        self.spoil: Callable[[Arrays], Arrays] = lambda outputs: outputs
        self.fail_at: int | None = None

    def build(
        self,
        onnx: bytes,
        recipe: Recipe,
        shapes: Mapping[str, Any],
        timing_cache: Path,
        told: Callable[[str, float | None], None],
    ) -> bytes:
        told("building", 0.5)
        if self.fail_at == len(self.built):
            raise EngineProblem("TensorRT failed: out of memory")
        self.built.append((recipe, shapes))
        timing_cache.parent.mkdir(parents=True, exist_ok=True)
        timing_cache.write_text("timings")
        return onnx

    def run(self, engine: bytes, batches: Sequence[Arrays]) -> list[Arrays]:
        session = onnxruntime.InferenceSession(engine, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        return [self.spoil(dict(zip(names, session.run(names, batch), strict=True))) for batch in batches]


class Bench:
    """A machine with a GPU: folders, and what a user types."""

    def __init__(self, folder: Path, tensorrt: OnnxRuntimeInstead) -> None:
        self.tensorrt, self.folder = tensorrt, folder
        self.engines, self.cache, self.repository = folder / "engines", folder / "cache", REPOSITORY

    def __call__(self, *words: str) -> int:
        folders = ("--repository", self.repository, "--engines", self.engines, "--cache", self.cache)
        return cli.main(["engine", *words, *map(str, folders)])

    def own_repository(self, max_batch: int) -> Path:
        """The committed models, to be changed."""
        self.repository = self.folder / "repository"
        for file in REPOSITORY.glob("lite_*/**/*.*"):
            copy = self.repository / file.relative_to(REPOSITORY)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
            if file.suffix == ".pbtxt":
                copy.write_text(file.read_text().replace("max_batch_size: 32", f"max_batch_size: {max_batch}"))
        return self.repository

    def report(self, name: str) -> dict[str, Any]:
        report: dict[str, Any] = json.loads((self.engines / name / "report.json").read_text())
        return report

    def files(self) -> dict[str, tuple[int, bytes]]:
        return {
            str(f.relative_to(self.engines)): (f.stat().st_ino, f.read_bytes())
            for f in self.engines.rglob("*")
            if f.is_file()
        }
