"""What `make train-lite` and `make evaluate-lite` say without their data."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.lite.needed_files import NEEDED, problem_of, problems

ROOT = Path(__file__).resolve().parents[3]


def put(data: Path, use: str) -> None:
    """Files of the form that is wanted."""
    for file in NEEDED:
        if use in file.uses:
            (data / file.name).parent.mkdir(exist_ok=True)
            (data / file.name).write_text("file,label\n")
            if file.arrays:
                arrays: dict[str, Any] = {name: np.zeros(1) for name in file.arrays}
                np.savez(data / file.name, **arrays)


@pytest.mark.parametrize("use", ["train", "evaluate"])
def test_make_names_the_files_and_their_places(use: str, tmp_path: Path) -> None:
    command = ["make", f"{use}-lite", f"PYTHON={sys.executable}", f"DATA={tmp_path / 'none'}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"make {use}-lite needs data in {tmp_path / 'none'} (there is no such folder):" in done.stderr
    for file in NEEDED:
        assert (file.name in done.stderr) == (use in file.uses)
    assert "From: http://sam.johnson.io/research/lsp.html" in done.stderr
    assert f"make {use}-lite DATA=FOLDER" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_it_needs_the_standard_library_only() -> None:
    """It runs before any environment is made."""
    code = "from models.lite import needed_files; print('numpy' in sys.modules)"
    command = [sys.executable, "-S", "-c", f"import sys; {code}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("use", ["train", "evaluate"])
def test_whole_files_are_no_problem(use: str, tmp_path: Path) -> None:
    put(tmp_path, use)
    assert list(problems(use, tmp_path)) == []


def test_a_cut_file_and_one_of_another_form(tmp_path: Path) -> None:
    put(tmp_path, "train")
    lsp, boxes = tmp_path / "pose2d_lsp_train.npz", tmp_path / "people_boxes_1.npz"
    lsp.write_bytes(lsp.read_bytes()[:500])
    np.savez(boxes, jpeg=np.zeros(1), offsets=np.zeros(1), boxes=np.zeros(1), box_offsets=np.zeros(1))
    first, second = problems("train", tmp_path)
    assert first.startswith("  pose2d_lsp_train.npz: cut, or no .npz file (500 bytes)\n")
    assert second.startswith("  people_boxes_1.npz: of another form: it lacks the arrays tier, split\n")
    assert problem_of(NEEDED[0], tmp_path) is not None


def test_the_files_that_the_code_reads_are_listed() -> None:
    """Names of data files in the sources of `lite`, but those that its own steps write."""
    own = {"error_bank.npz", "error_bank_held_out.npz", "taught_boxes.npz"}
    listed = {re.sub(r"\d\.npz", ".npz", file.name) for file in NEEDED}
    read = set()
    for source in (ROOT / "models" / "lite").rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.JoinedStr):
                text = "".join(str(part.value) if isinstance(part, ast.Constant) else "" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
            else:
                continue
            if re.fullmatch(r"[a-z]\w*\.npz", text) and not text.startswith("taught_"):
                read.add(text)
    assert read - own <= listed
    assert {"pose2d_lspet_.npz", "people_everyday.npz"} <= read
