"""What the documentation says of files, links, targets of make and settings is so; tests/docs runs its commands."""

from __future__ import annotations

import ast
import os
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import click
import pytest
from deephar.cli.program import deephar as client_commands

from models import cli as models_cli
from service.configuration import OTHERS
from service.settings import Settings, variable_of

ROOT = Path(__file__).resolve().parents[2]
DEPLOYMENT = ROOT / "docs" / "deployment.md"
DOCUMENTS = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *(ROOT / place / "README.md" for place in ("models/lite", "clients/python", "clients/web")),
]
MOST_LINES = 160  # of the README
UNITS = {"KiB": 2**10, "MiB": 2**20, "s": 1}

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^()\s]+)\)")
_NAVIGATION = re.compile(r": (\S+\.md)$", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_MAKE = re.compile(r"^make(?: [A-Z_]+=\S+)* ([a-z][a-z0-9-]*)")
_VARIABLE = re.compile(r"DEEPHAR_[A-Z][A-Z_]*[A-Z]")
_DEEPHAR = re.compile(r"^(?:\.venv(?:-models)?/bin/)?deephar(?P<models>-models)? (?=[a-z-])")
_AT_MOST = re.compile(r"min\((\d+), processors \+ (\d+)\)")

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))


def prose(document: Path) -> str:
    """The text without its code blocks."""
    return _FENCE.sub("", document.read_text())


def blocks(document: Path, language: str = "") -> list[str]:
    return [code for name, code in _FENCE.findall(document.read_text()) if name == language]


def shell_lines(document: Path) -> list[str]:
    """The lines of the code blocks that have no language: commands, and what they print."""
    return [line for block in blocks(document) for line in block.splitlines()]


def inline_code(document: Path) -> list[str]:
    return _INLINE.findall(prose(document))


def anchors(document: Path) -> set[str]:
    """The names that GitHub gives to the headings."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in _HEADING.findall(prose(document)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        name = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        found.add(f"{name}-{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return found


@every_document
def test_links_lead_somewhere(document: Path) -> None:
    for link in _LINK.findall(prose(document)):
        if re.match(r"[a-z]+:", link):
            continue
        place, _, anchor = link.partition("#")
        target = (document.parent / place).resolve() if place else document
        assert target.exists(), f"{link}: there is no such file"
        assert target.is_relative_to(ROOT), f"{link}: leaves the project"
        assert not anchor or anchor in anchors(target), f"{link}: there is no such heading"


@every_document
def test_paths_in_the_text_exist(document: Path) -> None:
    folders = {
        folder.name for folder in ROOT.iterdir() if folder.is_dir() and folder.name[0] != "." and folder.name != "build"
    }
    for code in inline_code(document):
        if re.fullmatch(r"[\w.-]+/[\w./-]*", code) and code.partition("/")[0] in folders:
            assert (ROOT / code).exists(), f"there is no {code}"


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= MOST_LINES


def test_every_document_is_linked_from_the_readme() -> None:
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in _LINK.findall(prose(ROOT / "README.md"))}
    assert set(DOCUMENTS) - linked == {ROOT / "README.md"}


def test_every_document_is_in_the_navigation_of_the_site() -> None:
    places = _NAVIGATION.findall((ROOT / "mkdocs.yml").read_text())
    files = [ROOT / "docs" / place if (ROOT / "docs" / place).exists() else ROOT / place for place in places]
    changes = ROOT / "CHANGELOG.md"
    assert sorted(files) == sorted([ROOT / "index.md", changes, *(set(DOCUMENTS) - {ROOT / "README.md"})])


@every_document
def test_make_has_its_targets(document: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {found[1] for line in shell_lines(document) + inline_code(document) if (found := _MAKE.match(line))}
    assert named <= targets


def other_variables() -> set[str]:
    """Those that are none of the service's settings: of compose, the clients and the commands that make models."""
    return set(OTHERS)


@every_document
def test_settings_that_are_named_exist(document: Path) -> None:
    known = {variable_of(field) for field in Settings.model_fields} | other_variables()
    assert set(_VARIABLE.findall(document.read_text())) <= known


def documented_defaults() -> dict[str, str]:
    """What the tables of deployment.md say, variable by variable."""
    rows = re.findall(r"^\| `(DEEPHAR_\w+)` \|([^|]*)\|", DEPLOYMENT.read_text(), re.MULTILINE)
    assert len(dict(rows)) == len(rows), "a setting stands there twice"
    return {name: default.strip().strip("`") for name, default in rows}


def test_every_setting_is_documented() -> None:
    documented, fields = documented_defaults().keys(), {variable_of(field) for field in Settings.model_fields}
    assert documented >= fields
    assert documented - fields <= other_variables()


@pytest.mark.parametrize("field", Settings.model_fields)
def test_defaults_are_documented(field: str) -> None:
    default, text = Settings.model_fields[field].get_default(call_default_factory=True), documented_defaults()
    assert value_of(text[variable_of(field)], default) == default


def value_of(text: str, default: Any) -> Any:
    """The documented default in the form of the real one."""
    match default:
        case bool():
            return {"true": True, "false": False}.get(text, text)
        case int() | float():
            if found := _AT_MOST.fullmatch(text):
                return min(int(found[1]), (os.cpu_count() or 2) + int(found[2]))
            number, _, unit = text.partition(" ")
            return float(number.replace(",", "")) * (UNITS[unit] if unit else 1)
        case Path():
            return ROOT / text
        case None:
            return text or None
        case _:
            return text


def commands_in(lines: list[str]) -> Iterator[tuple[bool, list[str]]]:
    """Of each `deephar` and `deephar-models` in them: whether it is the latter, and the arguments."""
    for line in lines:
        if found := _DEEPHAR.match(line):
            yield bool(found["models"]), shlex.split(line[found.end() :], comments=True)


def known_to_models(subcommand: str) -> tuple[set[str], set[str]]:
    """Actions and options of a command of `deephar-models`, from the source: some need PyTorch to run."""
    file = ROOT.joinpath(*models_cli.COMMANDS[subcommand][0].split(".")).with_suffix(".py")
    actions, options = set(), {"--help"}
    # A group's larger actions stand beside it: data/boxes_command.py.
    sources = {file, *file.parent.glob("*_command.py")}
    for node in (node for source in sources for node in ast.walk(ast.parse(source.read_text()))):
        match node:
            case ast.FunctionDef(name=name, decorator_list=decorators):
                actions |= {_action(name, decorator) for decorator in decorators} - {None}
            case ast.Call(func=ast.Attribute(attr="add_command"), args=[_, ast.Constant(value=name)]):
                actions.add(str(name))
            case ast.Call(func=ast.Attribute(attr="option"), args=names):
                options |= {str(one.value) for one in names if isinstance(one, ast.Constant)}
    return {action for action in actions if action}, options


def _action(function: str, decorator: ast.expr) -> str | None:
    """The action that a decorator `@command.command(...)` of a group makes of a function."""
    match decorator:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="command"), attr="command"), args=args):
            return str(args[0].value) if args and isinstance(args[0], ast.Constant) else function
    return None


def check_models_command(subcommand: str, arguments: list[str]) -> None:
    if subcommand not in models_cli.COMMANDS:
        assert subcommand.startswith("--"), f"deephar-models {subcommand}"
        return
    actions, options = known_to_models(subcommand)
    assert not actions or not arguments or arguments[0] in actions, f"deephar-models {subcommand} {arguments[0]}"
    used = {argument.partition("=")[0] for argument in arguments if argument.startswith("--")}
    assert used <= options, f"deephar-models {subcommand}"


def check_client_command(arguments: list[str]) -> None:
    """Parsed by the real command, which does not run."""
    arguments = list(takewhile(lambda word: word not in ("|", "<", ">", ">>"), arguments))
    name, *rest = arguments
    with click.Context(client_commands) as context:
        command = client_commands if name.startswith("-") else client_commands.get_command(context, name)
        assert command is not None, f"there is no command {name}"
        try:
            command.make_context(name, list(arguments if command is client_commands else rest), parent=context)
        except click.exceptions.Exit:
            return  # of --help
        except click.UsageError as error:
            pytest.fail(f"deephar {shlex.join(arguments)}: {error.message}")


@every_document
def test_commands_in_code_blocks_are_understood(document: Path) -> None:
    for of_models, (subcommand, *arguments) in commands_in(shell_lines(document)):
        if of_models:
            check_models_command(subcommand, arguments)
        else:
            check_client_command([subcommand, *arguments])


@every_document
def test_commands_in_the_text_are_known(document: Path) -> None:
    for of_models, (subcommand, *arguments) in commands_in(inline_code(document)):
        if of_models:
            check_models_command(subcommand, arguments)
        else:  # with what is left out here filled in by its help
            check_client_command([subcommand, "--help"])


def test_there_are_commands() -> None:
    """The tests above would also pass if they found none."""
    lines = [line for document in DOCUMENTS for line in shell_lines(document)]
    assert {arguments[0] for _, arguments in commands_in(lines)} >= {"pose", "actions", "live", "weights", "export"}
    assert {found[1] for line in lines if (found := _MAKE.match(line))} >= {"serve", "test", "check"}
