"""The table of all error texts in docs/api.md is whole."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from service import errors
from service.errors import DeepharError
from service.status import INTERNAL_DETAIL

ROOT = Path(__file__).resolve().parents[2]
CODES = {
    name: kind.code for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, DeepharError)
} | {"FormatError": errors.InvalidArgument.code}  # of `deephar.formats`; the service answers it as that
BY_VALUE = "…"  # stands in the table for what depends on the request
MADE_ELSEWHERE = {
    "_of_boundary(boundary)",
    "cls._text_of(error.errors(include_url=False, include_context=True)[0])",
    "str(error)",
}


def modules() -> Iterator[ast.Module]:
    formats = ROOT / "clients" / "python" / "src" / "deephar" / "formats"
    for file in sorted([*(ROOT / "service").rglob("*.py"), *formats.rglob("*.py")]):
        if not {"testing", "embedded_triton"} & set(file.parts):
            yield ast.parse(file.read_text())


def constants() -> dict[str, str]:
    """Module-level texts by name."""
    return {
        target.id: node.value.value
        for module in modules()
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def texts(node: ast.expr, named: dict[str, str]) -> list[str]:  # noqa: PLR0911 - one way each
    """The texts that an expression can be."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.Name(id=name) if name in named:
            return [named[name]]
        case ast.FormattedValue(value=ast.Name(id=name)) if name in named:
            return [named[name]]
        case ast.FormattedValue():
            return [BY_VALUE]
        case ast.JoinedStr(values=values):
            return ["".join(text for value in values for text in texts(value, named))]
        case ast.IfExp(body=body, orelse=other):
            return texts(body, named) + texts(other, named)
    assert ast.unparse(node) in MADE_ELSEWHERE, f"a text that this test cannot read: {ast.unparse(node)}"
    return []


def raised() -> set[tuple[str, str]]:
    """Code and text of every error that the service makes."""
    named = constants()
    return {("internal", INTERNAL_DETAIL)} | {
        (CODES[node.func.id], text)
        for module in modules()
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CODES and node.args
        for text in texts(node.args[0], named)
    }


def documented() -> set[tuple[str, str]]:
    table = (ROOT / "docs" / "api.md").read_text().split("### Every text")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `(\w+)` \| (.+) \|$", table, re.MULTILINE))


def test_every_text_is_in_the_table() -> None:
    assert raised() - documented() == set()


def test_the_table_has_no_text_that_is_gone() -> None:
    made_elsewhere = {(code, text) for code, text in documented() if "boundary" in text or text.startswith("(option)")}
    assert documented() - raised() - made_elsewhere == set()
