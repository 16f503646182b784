"""`deephar-models weights` as a person meets it: arguments in; text, files and exit status out."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from models import cli
from models.files.folders import cache_folder
from models.weights import released as table_module
from models.weights.released import RELEASED, imported_file, released_file, released_for
from tests.models.made_weights import made_file
from tests.models.weights_server import BODY, HDF5, MD5, WeightsServer, weights_server


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DEEPHAR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WeightsServer]:
    """A server on loopback that the table names for every model, so that no test reaches further."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with weights_server() as running:
        local = tuple(replace(one, url=running.released().url, md5=MD5 if one.md5 else None) for one in RELEASED)
        monkeypatch.setattr(table_module, "RELEASED", local)
        yield running


def deephar_weights(*words: str) -> int:
    return cli.main(["weights", *words])


def test_the_table_names_the_published_places() -> None:
    assert [one.model for one in RELEASED] == ["mpii", "h36m", "penn", "ntu", "penn-cvpr18", "ntu-cvpr18"]
    base = "https://github.com/dluvizon/deephar/releases/download"
    assert released_for("mpii").url == f"{base}/v0.1/weights_PE_MPII_cvpr18_19-09-2017.h5"
    assert released_for("ntu-cvpr18").url == f"{base}/v0.4/weights_AR_merge_NTU_v2.h5"
    assert "id=106yIhqNN-TrI34SX81q2xbU-NczcQj6I&" in released_for("penn").url
    assert released_for("ntu").page == "https://drive.google.com/file/d/1I6GftXEkL5nohLA60Vi6faW0rvTZg6Kx/view"
    assert len({one.file for one in RELEASED}) == 6


def test_where_files_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.delenv("DEEPHAR_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == Path("/home/someone/.cache/deephar")
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert cache_folder() == Path("/home/someone/.cache/deephar")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert cache_folder() == Path("/caches/deephar")
    monkeypatch.setenv("DEEPHAR_CACHE", "~/weights")
    assert cache_folder() == Path("/home/someone/weights")


def test_list_says_what_is_here(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in (released_file(released_for("h36m"), cache), imported_file("ntu", cache)):
        file.parent.mkdir(parents=True)
        file.touch()
    assert deephar_weights("list") == 0
    lines = capsys.readouterr().out.splitlines()
    states = {line.split()[0]: line.split()[1] for line in lines[1:7]}
    assert states == {
        "mpii": "missing", "h36m": "pulled", "penn": "missing", "ntu": "imported", "penn-cvpr18": "missing",
        "ntu-cvpr18": "missing",
    }  # fmt: skip
    assert "GitHub release v0.2" in lines[2]
    assert "af79f83ad939117d4ccc2cf1d4bd37d2" in lines[2]
    assert "none published" in lines[3]
    assert str(cache) in lines[-1]


@pytest.mark.parametrize("model", ["mpii", "penn"])
def test_pull_brings_the_file_and_names_the_next_step(
    server: WeightsServer, cache: Path, capsys: pytest.CaptureFixture[str], model: str
) -> None:
    assert deephar_weights("pull", model) == 0
    assert released_file(released_for(model), cache).read_bytes() == BODY
    told = capsys.readouterr()
    assert told.out == f"Next: deephar-models weights import {model}\n"
    assert "100 %" in told.err
    if model == "penn":
        assert f"with the MD5 {MD5} (none is published" in told.err


def test_pull_says_why_it_failed(server: WeightsServer, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server.body, server.content_type = b"<title>Sign in</title>", "text/html"
    assert deephar_weights("pull", "penn") == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "deephar-models: " in told.err
    assert "https://drive.google.com/file/d/106yIhqNN-TrI34SX81q2xbU-NczcQj6I/view" in told.err
    assert str(released_file(released_for("penn"), cache)) in told.err


def test_ctrl_c_keeps_what_has_arrived(server: WeightsServer, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    part = cache / "released" / f"{released_for('mpii').file}.part"

    def ctrl_c() -> None:
        while part.stat().st_size < 60_000:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    server.breaks, server.before_break = [60_000], ctrl_c
    assert deephar_weights("pull", "mpii") == 130
    assert "goes on from there" in capsys.readouterr().err
    assert deephar_weights("pull", "mpii") == 0
    assert released_file(released_for("mpii"), cache).read_bytes() == BODY
    assert server.ranges_asked == [None, "bytes=60000-"]


def test_a_cache_that_cannot_be_written_is_a_plain_error(
    server: WeightsServer, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache.write_text("a file where the folder should be")
    assert deephar_weights("pull", "mpii") == 1
    assert capsys.readouterr().err.startswith("deephar-models: ")


@pytest.mark.parametrize("words", [[], ["pull"], ["pull", "lite"], ["import", "resnet", "file.h5"], ["push", "mpii"]])
def test_wrong_arguments_are_a_matter_of_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert deephar_weights(*words) == 2
    assert "Usage: deephar-models weights" in capsys.readouterr().err


def test_import_of_nothing_says_how_to_get_it(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert deephar_weights("import", "mpii") == 1
    told = capsys.readouterr().err
    assert str(released_file(released_for("mpii"), cache)) in told
    assert "deephar-models weights pull mpii" in told


@pytest.mark.parametrize("content", [b"", b"no HDF5", HDF5 + bytes(1000)])
def test_import_refuses_what_are_no_weights(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    file = tmp_path / "weights.h5"
    file.write_bytes(content)
    assert deephar_weights("import", "mpii", str(file), "--unchecked") == 1
    assert capsys.readouterr().err.startswith("deephar-models: ")
    assert not imported_file("mpii", cache).exists()


def test_from_the_server_to_weights_of_ours(
    server: WeightsServer, tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.body, server.breaks = made_file("ntu", tmp_path).read_bytes(), [30_000_000]
    assert deephar_weights("pull", "ntu") == 0
    assert deephar_weights("import", "ntu", "--unchecked") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "Next: deephar-models export ntu"
    assert imported_file("ntu", cache).stat().st_size > 40_000_000
    deephar_weights("list")
    assert "ntu          imported" in capsys.readouterr().out
