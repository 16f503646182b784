"""What of a model repository may be loaded, and why not."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from service.networks.repository import read
from service.settings import ROOT


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "model_repository", tmp_path / "models"))


def edit(config: Path, old: str, new: str) -> None:
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new))


def test_a_right_repository_is_loaded_as_it_is(repository: Path) -> None:
    (repository / ".hidden").mkdir()
    (repository / "README.md").write_text("no folder")
    (repository / "lite_frame" / "2").mkdir()  # nothing is in it yet
    folders = read(repository)
    assert {name: folder.refusal for name, folder in folders.items()} == dict.fromkeys(
        ["lite_clip", "lite_frame", "person"]
    )
    assert folders["lite_frame"].versions == (1,)
    assert folders["lite_frame"].stamp == read(repository)["lite_frame"].stamp
    (repository / "lite_frame" / "2" / "model.onnx").write_bytes(b"x")
    assert read(repository)["lite_frame"].versions == (2, 1)
    assert read(repository)["lite_frame"].stamp != folders["lite_frame"].stamp


def remove(path: str) -> Callable[[Path], None]:
    return lambda repository: shutil.rmtree(repository / path)


@pytest.mark.parametrize(
    ("spoil", "network", "reason"),
    [
        (lambda r: (r / "lite_frame" / "config.pbtxt").unlink(), "lite_frame", r"it has no config\.pbtxt"),
        (lambda r: edit(r / "person" / "config.pbtxt", "name:", "name"), "person", r"cannot be read: \d+"),
        (lambda r: edit(r / "person" / "config.pbtxt", '"person"', '"nobody"'), "person", "is that of nobody"),
        (lambda r: (r / "person" / "config.pbtxt").write_bytes(b"\xff\xfe"), "person", "decode"),
        (remove("person/1"), "person", "it has no version folder"),
        (lambda r: (r / "lite_clip/1/model.onnx").rename(r / "lite_clip/1/m"), "lite_clip", r"1/ has no model\.onnx"),
        (remove("lite_clip"), "lite_frame", "its card promises actions, and there is no lite_clip"),
        (remove("lite_frame"), "lite_clip", "there is no lite_frame"),
        (lambda r: (r / "lite_clip" / "config.pbtxt").unlink(), "lite_frame", "lite_clip is refused"),
        (lambda r: edit(r / "lite_frame" / "config.pbtxt", '"card"', '"cart"'), "lite_frame", "it has no card"),
        (lambda r: edit(r / "lite_frame" / "config.pbtxt", "pa16", "pa99"), "lite_frame", "there is no layout 'pa99'"),
        (lambda r: (r / "lite_frame").rename(r / "lite"), "lite", "its name ends neither in _frame nor in _clip"),
        (lambda r: (r / "_frame").mkdir(), "_frame", "its name ends neither"),
    ],
)
def test_what_is_wrong_is_refused_and_why(
    repository: Path, spoil: Callable[[Path], None], network: str, reason: str
) -> None:
    spoil(repository)
    refusal = read(repository)[network].refusal
    assert refusal is not None
    assert re.search(reason, refusal), refusal


def test_files_that_cannot_be_read_or_have_odd_names_spoil_nothing(repository: Path) -> None:
    odd = repository / "lite_frame"
    (odd / "loop").symlink_to("loop")
    (odd / "\u00b2").mkdir()  # a digit to Python, and no number
    (odd / "\u00b2" / "model.onnx").touch()
    folders = read(repository)
    assert all(folder.refusal is None for folder in folders.values())
    assert folders["lite_frame"].versions == (1,)
