"""What may know what: read from the source, so that a rule is broken by the line that breaks it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SERVICE = sorted((ROOT / "service").rglob("*.py"))


def imports(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{name.name}" for name in node.names}
    return found


def importers(prefix: str) -> set[str]:
    return {
        str(file.relative_to(ROOT / "service"))
        for file in SERVICE
        if any(name == prefix or name.startswith(prefix + ".") for name in imports(file))
    }


@pytest.mark.parametrize("package", ["torch", "onnx", "onnxruntime", "models", "h5py"])
def test_the_gateway_knows_no_training_code(package: str) -> None:
    assert importers(package) == set()


def test_one_file_talks_to_triton() -> None:
    assert importers("tritonclient") == {"networks/triton.py"}


def test_transports_do_not_know_each_other() -> None:
    assert {f for f in importers("service.rpc") if not f.startswith("rpc/")} == {"composition.py"}
    assert {f for f in importers("service.rest") if not f.startswith("rest/")} == {"serving.py"}


def test_no_model_is_named_in_the_code() -> None:
    """What a model is stands in its card; only the default's name is a setting."""
    for file in SERVICE:
        texts = {n.value for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Constant)}
        named = texts & {"lite", "mpii", "h36m", "penn", "ntu", "penn-cvpr18", "ntu-cvpr18"}
        assert named == ({"lite"} if file.name == "settings.py" else set()), file
