"""What the loader has the embedded Triton load and unload, and in which order."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest

from service.networks import loading
from service.networks.loading import RepositoryLoader
from service.networks.server import Activity, LoadedModel
from service.networks.triton import TritonClient
from service.settings import ROOT


class FakeTriton:
    """A Triton that loads what stands in the repository, but for `broken` networks in these versions."""

    def __init__(self, repository: Path) -> None:
        self.repository = repository
        self.broken: set[tuple[str, int]] = set()
        self.ready: dict[str, int] = {}
        self.asked: list[str] = []
        self.activity: dict[str, Activity] = {}
        self.doubted = asyncio.Event()

    async def server_name(self) -> str:
        return "fake"

    async def models(self) -> list[LoadedModel]:
        return [LoadedModel(name, str(version), ready=True, gone=False) for name, version in self.ready.items()]

    async def load(self, network: str, config: str = "") -> None:
        versions = [int(folder.name) for folder in (self.repository / network).iterdir() if folder.is_dir()]
        if config:
            versions = [int(version) for version in json.loads(config)["version_policy"]["specific"]["versions"]]
        self.asked.append(f"{network} {max(versions)}")
        if (network, max(versions)) in self.broken:
            raise RuntimeError(f"version {max(versions)} cannot be read")
        self.ready[network] = max(versions)

    async def unload(self, network: str) -> None:
        self.asked.append(f"{network} unloaded")
        del self.ready[network]


class Scene:
    def __init__(self, folder: Path) -> None:
        self.repository = Path(shutil.copytree(ROOT / "model_repository", folder / "models"))
        self.triton = FakeTriton(self.repository)
        self.run = 1
        self.loader = RepositoryLoader(cast(TritonClient, self.triton), self.repository, lambda: self.run)

    async def rounds(self, count: int = 2) -> list[str]:
        self.triton.asked.clear()
        for _ in range(count):
            await self.loader.round()
        return self.triton.asked

    def add(self, network: str, version: int) -> None:
        shutil.copytree(self.repository / network / "1", self.repository / network / str(version))


def play(folder: Path, scene: Callable[[Scene], Awaitable[None]]) -> None:
    async def run() -> None:
        made = Scene(folder)
        await made.rounds(1)
        await scene(made)

    asyncio.run(run())


def test_what_is_there_is_loaded_once_and_again_after_a_start_of_triton(tmp_path: Path) -> None:
    async def scene(s: Scene) -> None:
        assert s.triton.asked == ["lite_clip 1", "lite_frame 1", "person 1"]
        assert await s.rounds() == []
        s.run = 2
        assert await s.rounds() == ["lite_clip 1", "lite_frame 1", "person 1"]

    play(tmp_path, scene)


def test_what_changes_is_loaded_when_it_stays_the_same_and_the_clip_network_first(tmp_path: Path) -> None:
    async def scene(s: Scene) -> None:
        s.add("lite_frame", 2)
        s.add("lite_clip", 2)
        assert await s.rounds(1) == []
        (s.repository / "lite_clip" / "2" / "more").write_text("still being copied")
        assert await s.rounds(1) == []
        assert await s.rounds(1) == ["lite_clip 2", "lite_frame 2"]
        # A version that the other network does not have waits for it.
        s.add("lite_clip", 3)
        await s.rounds()
        assert s.triton.ready["lite_clip"] == 2
        s.add("lite_frame", 3)
        assert await s.rounds() == ["lite_clip 3", "lite_frame 3"]
        # So does one whose other half is not complete.
        (s.repository / "lite_frame" / "4").mkdir()
        (s.repository / "lite_frame" / "4" / "model.data").write_text("first")
        s.add("lite_clip", 4)
        assert await s.rounds() == []
        assert s.loader.refusals["lite_clip"] == "lite_frame is refused"
        shutil.copy(s.repository / "lite_frame" / "1" / "model.onnx", s.repository / "lite_frame" / "4")
        assert await s.rounds() == ["lite_clip 4", "lite_frame 4"]
        assert s.loader.refusals == {}

    play(tmp_path, scene)


def test_a_network_that_fails_keeps_the_other_one_in_its_version(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(s: Scene) -> None:
        s.triton.broken = {("lite_frame", 2)}
        s.add("lite_frame", 2)
        s.add("lite_clip", 2)
        assert await s.rounds() == ["lite_clip 2", "lite_frame 2", "lite_clip 1"]
        assert s.triton.ready == {"lite_clip": 1, "lite_frame": 1, "person": 1}
        assert s.loader.refusals == {"lite_frame": "version 2 cannot be read"}
        assert await s.rounds() == []
        # The same after a start of Triton, which has nothing loaded.
        s.run, s.triton.ready = 2, {}
        await s.rounds()
        assert s.triton.ready == {"lite_clip": 1, "lite_frame": 1, "person": 1}
        # It is repaired, which brings the other one too.
        s.triton.broken.clear()
        (s.repository / "lite_frame" / "2" / "model.onnx").touch()
        await s.rounds()
        assert s.triton.ready["lite_frame"] == 2
        assert s.triton.ready["lite_clip"] == 2
        assert s.loader.refusals == {}

    play(tmp_path, scene)
    assert caplog.text.count("lite_frame is refused: version 2 cannot be read") == 1


def test_a_clip_network_that_comes_later_lets_its_frame_network_in(tmp_path: Path) -> None:
    async def scene(s: Scene) -> None:
        (s.repository / "lite_clip").rename(tmp_path / "lite_clip")
        assert await s.rounds(1) == []
        assert "there is no lite_clip" in s.loader.refusals["lite_frame"]
        (tmp_path / "lite_clip").rename(s.repository / "lite_clip")
        await s.rounds(3)
        assert s.loader.refusals == {}
        assert s.triton.ready == {"lite_clip": 1, "lite_frame": 1, "person": 1}

    play(tmp_path, scene)


def test_a_removed_network_is_unloaded_when_nobody_uses_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(s: Scene) -> None:
        activity = s.triton.activity["person"] = Activity()
        activity.began(1)
        shutil.move(s.repository / "person", tmp_path / "person")
        assert await s.rounds(1) == []
        assert await s.rounds(3) == []
        activity.waiting = 0
        activity.answered()
        assert await s.rounds(3) == []
        monkeypatch.setattr(loading, "UNUSED_S", 0.0)
        assert await s.rounds(3) == ["person unloaded"]
        shutil.move(tmp_path / "person", s.repository / "person")
        assert await s.rounds() == ["person 1"]

    play(tmp_path, scene)
