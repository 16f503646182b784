"""report.json beside each engine: what was built, how long it took, how it compares with the ONNX file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from models.tensorrt_engine.comparison import Comparison
from models.tensorrt_engine.key import Key
from models.tensorrt_engine.library import Gpu

FILE = "report.json"
_PACKAGES = ("onnx", "onnxruntime", "polygraphy")


@dataclass(frozen=True)
class BuiltEngine:
    """An engine, new or kept from an earlier build."""

    key: Key
    plan: bytes
    build_s: float
    report: str = ""  # of an engine that was kept


def report(built: BuiltEngine, gpu: Gpu, comparison: Comparison) -> str:
    content = {
        "key": built.key.as_json(),
        "gpu": gpu.name,
        "versions": {"tensorrt": built.key.tensorrt} | {name: _version(name) for name in _PACKAGES},
        "build_s": round(built.build_s, 1),
        "plan_bytes": len(built.plan),
        "plan_sha256": hashlib.sha256(built.plan).hexdigest(),
        "differences": [asdict(difference) for difference in comparison.differences],
        "other_best_actions": comparison.other_best_actions,
        "verdict": "passed" if comparison.passed else "refused",
    }
    return json.dumps(content, indent=2) + "\n"


def kept(folder: Path, key: Key) -> BuiltEngine | None:
    """The engine in `folder`, if it is complete, has this key and has passed; else None."""
    try:
        text = (folder / FILE).read_text()
        content = json.loads(text)
        plan = (folder / "1" / "model.plan").read_bytes()
        if content["key"] != key.as_json() or content["verdict"] != "passed":
            return None
        if content["plan_sha256"] != hashlib.sha256(plan).hexdigest():
            return None
        return BuiltEngine(key, plan, float(content["build_s"]), text)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
