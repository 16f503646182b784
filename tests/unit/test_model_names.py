"""What import-linter (pyproject.toml) cannot see."""

from __future__ import annotations

import ast
from pathlib import Path

SERVICE = Path(__file__).resolve().parent.parent.parent / "service"


def test_no_model_is_named_in_the_code() -> None:
    """What a model is stands in its card; only the default's name is a setting."""
    for file in sorted(SERVICE.rglob("*.py")):
        texts = {n.value for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Constant)}
        named = texts & {"lite", "mpii", "h36m", "penn", "ntu", "penn-cvpr18", "ntu-cvpr18"}
        assert named == ({"lite"} if file.name == "settings.py" else set()), file
