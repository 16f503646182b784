"""Every command, program and output in the documentation: all are run, and what they print is what is shown."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from service.testing.running import ServiceProcess
from tests.conftest import ROOT
from tests.docs.blocks import OUTPUT, PAGES, SHELL, Block, blocks_of
from tests.docs.browser import run_in_browser
from tests.docs.comparison import documents, same_json, same_text
from tests.docs.exceptions import FIGURES_OF_THE_MOMENT, ILLUSTRATIONS, NOT_RUN, PROGRAMS_NOT_RUN, STATUS, entry
from tests.docs.workplace import Workplace

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@pytest.fixture
def workplace(tmp_path: Path, service: ServiceProcess) -> Iterator[Workplace]:
    place = Workplace(tmp_path, service)
    yield place
    place.close()


@pages
def test_a_page_says_what_is_so(page: Path, workplace: Workplace, service: ServiceProcess, camera_film: Path) -> None:
    printed: str | None = None  # by the block before; None: it was not run
    commands: list[str] = []
    for block in blocks_of(page):
        if block.language in OUTPUT:
            if not block.follows:
                assert entry(ILLUSTRATIONS, block.place, block.text), f"{block.place}: it follows no command"
                check_form(block)
            elif printed is None:
                check_form(block)
            else:
                compare(block, printed, commands)
            continue
        printed, commands = None, []
        if block.language in SHELL:
            commands = block.commands
            printed = run_commands(commands, workplace)
        elif block.language in ("python", "js", "html"):
            printed = run_program(block, workplace, service, camera_film)
        else:
            check_form(block)


def run_commands(commands: list[str], workplace: Workplace) -> str | None:
    printed = [
        workplace.shell(command, int(entry(STATUS, command) or 0))
        for command in commands
        if entry(NOT_RUN, command) is None
    ]
    return "".join(printed) if printed else None


def run_program(block: Block, workplace: Workplace, service: ServiceProcess, camera_film: Path) -> str | None:
    if entry(PROGRAMS_NOT_RUN, block.place, block.text):
        if block.language == "python":
            compile(block.text, block.place, "exec")
        return None
    if block.language == "python":
        return workplace.python(block.text)
    assert block.language == "js", f"{block.place}: {block.language} is not run"
    if "document." in block.text:
        return run_in_browser(block.text, service, camera_film)
    return workplace.node(block.text)


def compare(block: Block, printed: str, commands: list[str]) -> None:
    if block.language == "json":
        is_same = same_json(documents(block.text), documents(printed))
    else:
        figures = not any(entry(FIGURES_OF_THE_MOMENT, command) for command in commands)
        is_same = same_text(block.text, printed, figures)
    if not is_same:
        pytest.fail(f"{block.place}: it is shown\n{block.text}\nand printed\n{printed}", pytrace=False)


def check_form(block: Block) -> None:
    match block.language:
        case "json":
            documents(block.text)
        case "toml":
            tomllib.loads(block.text)
        case "yaml":
            yaml.safe_load(block.text)
        case language:
            assert language in ("text", "bibtex", "proto"), f"{block.place}: nothing is known of {language}"


def test_every_exception_is_needed() -> None:
    blocks = [block for page in PAGES for block in blocks_of(page)]
    commands = [command for block in blocks if block.language in SHELL for command in block.commands]
    for table in (NOT_RUN, STATUS, FIGURES_OF_THE_MOMENT):
        for prefix in table:
            assert any(entry({prefix: "x"}, command) for command in commands), f"no command begins with {prefix}"
    for table in (ILLUSTRATIONS, PROGRAMS_NOT_RUN):
        for place in table:
            assert any(entry({place: "x"}, block.place, block.text) for block in blocks), f"there is no block {place}"
