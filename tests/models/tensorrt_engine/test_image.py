"""The image in which Docker builds engines: it has what the rest of this project is tested with."""

from __future__ import annotations

import re
from pathlib import Path

from models.tensorrt_engine.library import POLYGRAPHY

ROOT = Path(__file__).resolve().parent.parent.parent.parent
PIN = re.compile(r"([\w-]+)(?:\[\w+\])?==([\w.]+)")


def test_the_image_has_the_versions_that_are_tested() -> None:
    stage = (ROOT / "Dockerfile").read_text().split("AS engines")[1]
    pins = dict(PIN.findall(stage))
    assert pins.pop("polygraphy") == POLYGRAPHY
    assert {"click", "numpy", "onnx", "onnxruntime", "protobuf", "tritonclient"} <= pins.keys()
    tested = dict(PIN.findall((ROOT / "requirements" / "models.txt").read_text()))
    assert pins == {name: tested[name] for name in pins}
    assert "torch" not in pins


def test_compose_builds_engines_with_the_triton_that_serves_them() -> None:
    compose = (ROOT / "docker-compose.yml").read_text()
    default = re.search(r"TRITON_GPU_IMAGE:-([^}]+)}", compose)
    assert default is not None
    assert f"ARG TRITON_GPU_IMAGE={default.group(1)}\n" in (ROOT / "Dockerfile").read_text()
    assert "TRITON_GPU_IMAGE: *triton-gpu-image" in compose
