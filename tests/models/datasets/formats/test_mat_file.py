"""MATLAB's files: read element by element as scipy reads them whole, in little memory, and never half."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from models.datasets import h36m
from models.datasets.formats import mat_file
from models.datasets.problem import DataProblem
from tests.models.datasets import made_h36m
from tests.models.datasets.drawn import structs

compressed_or_not = pytest.mark.parametrize("compressed", [True, False])


def cells() -> np.ndarray[tuple[int, int], np.dtype[np.object_]]:
    array = np.empty((2, 3), object)
    for at, place in enumerate(np.ndindex(2, 3)):
        array[place] = np.arange(float(at + 2)) if at % 2 else f"word {at}"
    return array


@compressed_or_not
def test_elements_are_those_that_scipy_reads(compressed: bool, tmp_path: Path) -> None:
    file = tmp_path / "file.mat"
    rows: list[dict[str, object]] = [
        {"name": f"row {at}", "points": np.random.default_rng(at).random((at + 2, 3)), "flag": at} for at in range(4)
    ]
    savemat(file, {"first": 1.5, "rows": structs(rows, (1, 4)), "cells": cells()}, do_compression=compressed)
    assert mat_file.names(file) == ["first", "rows", "cells"]
    assert mat_file.value(file, "first") == 1.5
    whole = loadmat(file, squeeze_me=True, struct_as_record=False)
    found = list(mat_file.elements(file, "rows"))
    assert [row.name for row in found] == [row.name for row in whole["rows"]] == [f"row {at}" for at in range(4)]
    assert [row.flag for row in found] == [0, 1, 2, 3]
    for row, other in zip(found, whole["rows"], strict=True):
        assert np.array_equal(row.points, other.points)
    by_columns = whole["cells"].ravel(order="F")
    for cell, other in zip(mat_file.elements(file, "cells"), by_columns, strict=True):
        assert np.array_equal(cell, other)


@compressed_or_not
def test_a_file_that_is_cut_anywhere_is_told(compressed: bool, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.mat", tmp_path / "cut.mat"
    rows: list[dict[str, object]] = [{"number": at, "points": np.ones((9, 2)) * at} for at in range(3)]
    savemat(whole, {"rows": structs(rows, (1, 3)), "last": np.arange(50.0)}, do_compression=compressed)
    content = whole.read_bytes()
    for length in range(0, len(content), 7):
        cut.write_bytes(content[:length])
        with pytest.raises(DataProblem, match=r"cut|empty|no MATLAB file|has no last"):
            mat_file.value(cut, "last")


def test_damaged_bytes_of_a_compressed_file_are_told(tmp_path: Path) -> None:
    whole, damaged = tmp_path / "whole.mat", tmp_path / "damaged.mat"
    generator = np.random.default_rng(5)
    rows: list[dict[str, object]] = [{"number": at, "points": generator.random((9, 2))} for at in range(20)]
    savemat(whole, {"rows": structs(rows, (1, 20))}, do_compression=True)
    content = whole.read_bytes()
    for at in range(200, len(content), len(content) // 40):
        damaged.write_bytes(content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :])
        with pytest.raises(DataProblem, match="damaged"):
            mat_file.value(damaged, "rows")


def test_a_variable_that_is_no_array_of_structs(tmp_path: Path) -> None:
    savemat(tmp_path / "file.mat", {"rows": [1, 2, 3]})
    with pytest.raises(DataProblem, match="rows is no array of structs"):
        list(mat_file.elements(tmp_path / "file.mat", "rows"))
    with pytest.raises(DataProblem, match=r"has no columns but rows: it is another file"):
        list(mat_file.elements(tmp_path / "file.mat", "columns"))


def peak_of_reading(folder: Path, sequences: int) -> int:
    one = made_h36m.drawn_sequence("a02_s01_e01_c01", range(1, 301), seed=1)
    file = folder / f"{sequences}.mat"
    fields = [made_h36m.fields(one)] * sequences
    savemat(file, {"sequences_tr": structs(fields, (1, sequences))}, do_compression=True)
    tracemalloc.start()
    frames = h36m.read_annotations(file, "train")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(frames.number) == 300 * sequences
    assert np.array_equal(frames.world_mm[-1], one.frames[-1].world_mm)
    return peak


def test_memory_does_not_grow_with_the_number_of_sequences(tmp_path: Path) -> None:
    few, many = peak_of_reading(tmp_path, 2), peak_of_reading(tmp_path, 12)
    poses = 300 * 32 * 3 * 8  # bytes of one sequence
    assert many - few < 2 * poses  # of ten more sequences
