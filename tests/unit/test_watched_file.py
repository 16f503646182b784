"""Files that are read again when they change."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from service import watched_file
from service.errors import UnusableFile
from service.watched_file import WatchedFiles

LOOK_S = 0.02
PATIENCE_S = 10.0


def read(path: Path) -> str:
    text = path.read_text()
    if "unforeseen" in text:
        raise RecursionError("too deep")
    if "broken" in text:
        raise UnusableFile(f"{path}: this is broken")
    return text


def watched(path: Path, work: Callable[[list[str]], Awaitable[None]]) -> None:
    async def run() -> None:
        seen: list[str] = []
        files = WatchedFiles([path], lambda: read(path), "the file", seen.append)
        files.start()
        try:
            await work(seen)
        finally:
            await files.stop()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watched_file, "LOOK_S", LOOK_S)
        asyncio.run(run())


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(LOOK_S / 2)


def replaced(path: Path, text: str) -> None:
    new = path.with_name("new")
    new.write_text(text)
    new.replace(path)


def test_writing_and_replacing_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("one")

    async def work(seen: list[str]) -> None:
        assert seen == ["one"]
        replaced(path, "two")
        await until(lambda: seen == ["one", "two"])
        path.write_text("three")
        await until(lambda: seen[-1] == "three")
        await asyncio.sleep(5 * LOOK_S)
        assert seen.count("three") == 1

    watched(path, work)


def test_links_of_a_kubernetes_secret_are_followed(tmp_path: Path) -> None:
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "keys.toml").write_text(version)
    (tmp_path / "..data").symlink_to("one")
    (tmp_path / "keys.toml").symlink_to("..data/keys.toml")

    async def work(seen: list[str]) -> None:
        (tmp_path / "..new").symlink_to("two")
        os.replace(tmp_path / "..new", tmp_path / "..data")
        await until(lambda: seen == ["one", "two"])

    watched(tmp_path / "keys.toml", work)


def test_a_broken_version_is_told_once_and_the_last_good_one_holds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "file"
    path.write_text("one")

    def told() -> list[str]:
        return [record.message for record in caplog.records if record.levelno == logging.ERROR]

    async def work(seen: list[str]) -> None:
        replaced(path, "broken")
        await until(lambda: len(told()) == 1)
        await asyncio.sleep(10 * LOOK_S)
        path.unlink()
        await until(lambda: len(told()) == 2)
        await asyncio.sleep(10 * LOOK_S)
        assert len(told()) == 2
        assert seen == ["one"]
        replaced(path, "two")
        await until(lambda: seen == ["one", "two"])

    watched(path, work)
    assert ["this is broken" in told()[0], "No such file" in told()[1]] == [True, True]


def test_an_unforeseen_error_does_not_end_the_watch(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "file"
    path.write_text("one")

    async def work(seen: list[str]) -> None:
        replaced(path, "unforeseen")
        await until(lambda: "the last one holds" in caplog.text)
        replaced(path, "two")
        await until(lambda: seen == ["one", "two"])

    watched(path, work)


def test_a_file_that_gets_other_rights_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, forbidden = tmp_path / "file", tmp_path / "forbidden"
    path.write_text("one")
    plain = Path.read_text

    def guarded(self: Path) -> str:  # root may read everything
        if self.stat().st_mode & 0o400 == 0:
            raise PermissionError(13, "Permission denied", str(self))
        return plain(self)

    monkeypatch.setattr(Path, "read_text", guarded)

    async def work(seen: list[str]) -> None:
        forbidden.write_text("two")
        forbidden.chmod(0)
        forbidden.replace(path)
        await asyncio.sleep(10 * LOOK_S)
        assert seen == ["one"]
        path.chmod(0o600)
        await until(lambda: seen == ["one", "two"])

    watched(path, work)


@pytest.mark.parametrize("text", ["broken", None])
def test_the_first_version_must_be_good(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "file"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UnusableFile, match=r"file: (this is broken|No such file)"):
        WatchedFiles([path], lambda: read(path), "the file", lambda _: None)
