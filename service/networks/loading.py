"""Loads into the embedded Triton what stands in its model repository, and unloads what was removed from it.

Triton does not poll the repository: what is half copied or wrong is not tried, a model's two networks change together,
and a removed one is unloaded when nobody uses it any more.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from google.protobuf.json_format import MessageToJson
from tritonclient.grpc.model_config_pb2 import ModelConfig

from service.background import BackgroundTask
from service.errors import DeepharError
from service.networks.model import model_of
from service.networks.repository import Folder, Stamp, read
from service.networks.triton import TritonClient

log = logging.getLogger(__name__)

ROUND_S = 1.0  # interval of the readings; a folder that stays the same in two of them is complete
UNUSED_S = 5.0  # without a call, before a removed network is unloaded
LONGEST_USE_S = 300.0  # of a removed network


class RepositoryLoader:
    """Keeps the embedded Triton's networks those of its repository.

    Triton keeps the network before while another is loaded, and if that fails.

    Args:
        triton: The client of the embedded Triton.
        repository: The folder.
        run: Returns what tells one run of Triton from the next; None while it does not run.

    Attributes:
        refusals: Why a network, or its newest version, is not loaded.
    """

    def __init__(self, triton: TritonClient, repository: Path, run: Callable[[], int | None]) -> None:
        self._triton, self._repository, self._run = triton, repository, run
        self.refusals: dict[str, str] = {}
        self._seen: dict[str, Stamp] = {}  # in the last reading
        self._settled: dict[str, tuple[Stamp, str | None]] = {}  # loaded or refused, and what spoke against it
        self._removed: dict[str, float] = {}  # since when, of those that are still loaded
        self._present_run: int | None = None
        self._unreadable = ""
        self._loading = BackgroundTask(self._keep_loading, "model repository")

    def start(self) -> None:
        self._loading.start()

    async def stop(self) -> None:
        await self._loading.stop()

    async def round(self) -> None:
        """Reads the repository once, and loads and unloads what has changed.

        Raises:
            Unavailable, DeadlineExceeded: Triton did not answer.
            OSError: The repository cannot be read.
        """
        run = self._run()
        folders = await asyncio.to_thread(read, self._repository)
        is_new_run = run != self._present_run
        if is_new_run:
            await self._triton.server_name()
            self._present_run = run
            self._settled.clear()
            self._removed.clear()
        stable = {name for name, folder in folders.items() if is_new_run or self._seen.get(name) == folder.stamp}
        changed = {name for name in stable if self._settled.get(name) != _state(folders[name])}
        models = {model_of(name) or name for name in changed}
        gone = self._settled.keys() - folders.keys() - self._seen.keys()
        self._seen = {name: folder.stamp for name, folder in folders.items()}
        for model in sorted(models):
            networks = [folder for name, folder in folders.items() if (model_of(name) or name) == model]
            changes = [folder for folder in networks if folder.name in changed or folder.name in self.refusals]
            await self._load_model(changes, networks, is_new_run)
        if changed:
            self._triton.doubted.set()  # so that the catalogue is read
        await self._unload(gone, folders)

    async def _load_model(self, changes: list[Folder], networks: list[Folder], is_new_run: bool) -> None:
        """Loads the changed networks of a model: the clip network first, and the frame network only after it."""
        failed: Folder | None = None
        for folder in changes:
            if folder.refusal:
                self._refuse(folder, folder.refusal)
            elif failed is not None:
                self._refuse(folder, f"{failed.name} is refused")
            elif await self._loads(folder):
                if self.refusals.pop(folder.name, None) or not is_new_run:
                    log.info("%s is loaded, version %d", folder.name, folder.versions[0])
            else:
                failed = folder
            self._settled[folder.name] = _state(folder)
        if failed is not None:
            await self._go_back(failed, networks)

    async def _loads(self, folder: Folder, version: int | None = None) -> bool:
        """Returns whether Triton has loaded a network's newest version, or a given one."""
        try:
            await self._triton.load(folder.name, "" if version is None else _only(folder, version))
        except RuntimeError as error:
            if version is None:
                self._refuse(folder, str(error))
            return False
        return True

    async def _go_back(self, failed: Folder, networks: Iterable[Folder]) -> None:
        """Has all networks of a model in the version that serves, where one could not be loaded.

        After a start of Triton none may: then the newest is taken that can be loaded.
        """
        ready = {model.name: model.version for model in await self._triton.models() if model.ready}
        version = int(ready.get(failed.name) or 0)
        if not version:
            version = await self._older(failed)
        for folder in networks:
            if folder.name != failed.name and version in folder.versions and ready.get(folder.name) != str(version):
                await self._loads(folder, version)

    async def _older(self, failed: Folder) -> int:
        for version in failed.versions[1:]:
            if await self._loads(failed, version):
                log.warning("%s is loaded in its older version %d", failed.name, version)
                return version
        return 0

    def _refuse(self, folder: Folder, reason: str) -> None:
        reason = " ".join(reason.split())
        if self.refusals.get(folder.name) != reason:
            log.error("%s is refused: %s", folder.name, reason)
        self.refusals[folder.name] = reason

    async def _unload(self, gone: set[str], folders: dict[str, Folder]) -> None:
        """Unloads removed networks that are not used any more, or for too long."""
        for name in [*self._removed]:
            if name in folders:
                del self._removed[name]
        for name in gone:
            self.refusals.pop(name, None)
            since = self._removed.setdefault(name, time.monotonic())
            activity = self._triton.activity.get(name)
            is_used = activity is not None and (activity.waiting or _age(activity.last_answer) < UNUSED_S)
            if not is_used or _age(since) > LONGEST_USE_S:
                del self._settled[name], self._removed[name]
                try:
                    await self._triton.unload(name)
                    log.info("%s is unloaded, since it was removed from the repository", name)
                except RuntimeError as error:
                    log.debug("%s was not loaded: %s", name, error)

    async def _keep_loading(self) -> None:
        while True:
            try:
                await self.round()
                self._unreadable = ""
            except DeepharError as error:
                log.debug("Triton does not answer the loader: %s", error)
            except OSError as error:
                if self._unreadable != str(error):
                    self._unreadable = str(error)
                    log.error("the model repository cannot be read: %s", error)
            except Exception:
                log.exception("the model repository could not be loaded")
            await asyncio.sleep(ROUND_S)


def _only(folder: Folder, version: int) -> str:
    """Returns a network's configuration with one version of it, as JSON."""
    assert folder.config is not None
    config = ModelConfig()
    config.CopyFrom(folder.config)
    config.version_policy.specific.versions[:] = [version]
    return str(MessageToJson(config, preserving_proto_field_name=True))


def _state(folder: Folder) -> tuple[Stamp, str | None]:
    return folder.stamp, folder.refusal


def _age(moment: float) -> float:
    return math.inf if math.isinf(moment) else time.monotonic() - moment
