"""A batch on a Ray cluster, as a job of Ray Data: each node asks a service of its own, or one of those that are given.

The folder of the results is one that all nodes share. A node that is lost takes nothing with it: Ray has its inputs
done by others, and a result that was there already is left as it is.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to anybody; read when ray is imported

import pyarrow as pa
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from deephar.bulk.asking import Service, ServiceAsking
from deephar.bulk.batch import Batch
from deephar.bulk.engine import Engine, Failed
from deephar.bulk.inputs import Input, Kind
from deephar.bulk.node_service import NodeService, NotServed, serve_command
from deephar.bulk.options import BatchOptions
from deephar.bulk.output_folder import OutputFolder
from deephar.bulk.pace import Pace
from deephar.errors import DeepharError

_MOST = {"picture": 256, "video": 4}  # inputs of a task at most; all of them are repeated where its node is lost
_TASKS = 8  # for each worker at least, so that all end at about the same time


@dataclass(frozen=True)
class Cluster:
    """How a cluster does a batch.

    Args:
        address: Of Ray: `auto`, host:port, or ray://host:port.
        services: Addresses of services that run already; none: each node starts its own.
        triton_urls: Of the Tritons that those started use; empty: each has an embedded one.
        serve: The program of the service, as a shell writes it; empty: `deephar-serve`.
        api_key: For the given services.
        ca: PEM of who signed their certificates.
        in_flight: Inputs at a time and worker; 0: as many as the service gains from.
        wait_s: How long a service that went away is waited for.
    """

    address: str
    services: tuple[str, ...] = ()
    triton_urls: str = ""
    serve: str = ""
    api_key: str | None = None
    ca: Path | None = None
    in_flight: int = 0
    wait_s: float = 600.0
    python_path: str = os.environ.get("PYTHONPATH", "")  # of the services: Ray adds to that of its workers


def run(batch: Batch, cluster: Cluster) -> None:
    """Asks for all that is left.

    Raises:
        DeepharError: A service is away, cannot be started, or refuses what is the same for all inputs.
        OSError: A result cannot be written, or the inputs cannot be listed.
    """
    variables = {name: os.environ[name] for name in ("PYTHONPATH", "RAY_USAGE_STATS_ENABLED") if name in os.environ}
    ray.init(
        cluster.address,
        runtime_env={"env_vars": variables},
        log_to_driver=False,
        logging_level="ERROR",
        configure_logging=True,
    )
    try:
        batch.count()
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        services = ray.remote(_Services).options(num_cpus=0, scheduling_strategy=here).remote(cluster)
        for kind in ("picture", "video"):
            _run_kind(batch, cluster, services, kind)
    finally:
        ray.shutdown()


def _run_kind(batch: Batch, cluster: Cluster, services: Any, kind: Kind) -> None:
    workers = len(cluster.services) or sum(node["Alive"] for node in ray.nodes())
    blocks = list(_blocks(batch.left(kind), kind, workers))
    if not blocks:
        return
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    done = ray.data.from_arrow(blocks).map_batches(
        _Worker,
        batch_size=None,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=min(workers, len(blocks))),
        fn_constructor_args=(batch.output.folder.absolute(), batch.options, cluster, services, kind),
        num_cpus=1,
        scheduling_strategy="SPREAD",
    )
    for row in done.iter_rows():
        if row["id"] is None:
            raise DeepharError.of(row["code"], row["detail"])
        batch.done(Input(os.fsdecode(row["id"]), "", kind), Failed(row["code"], row["detail"]) if row["code"] else None)


def _blocks(inputs: Iterator[Input], kind: Kind, workers: int) -> Iterator[pa.Table]:
    """Yields the inputs of each task: names as bytes, which need not be text."""
    most = _MOST[kind]
    first = list(itertools.islice(inputs, most * workers * _TASKS))
    size = max(1, min(most, len(first) // (workers * _TASKS)))
    rest = itertools.chain(first, inputs)
    while block := list(itertools.islice(rest, size)):
        ids, paths = (
            [os.fsencode(text) for text in column] for column in zip(*((i.id, i.path) for i in block), strict=True)
        )
        yield pa.table(
            {
                "id": pa.array(ids, pa.binary()),
                "path": pa.array(paths, pa.binary()),
                "known": [input.kind is not None for input in block],
            }
        )


class _Services:
    """An actor: the address of the service that a worker asks. It has the services of the nodes end with the job."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._given = itertools.cycle(cluster.services)
        self._nodes: dict[str, Any] = {}

    def of(self, node: str) -> tuple[str, Any]:
        """Returns a service's address, or the actor on the node of the worker that tells one."""
        if self._cluster.services:
            return next(self._given), None
        if node not in self._nodes:
            there = NodeAffinitySchedulingStrategy(node, soft=False)
            actor = ray.remote(_Serving).options(num_cpus=0, scheduling_strategy=there)
            self._nodes[node] = actor.remote(self._cluster)
        return "", self._nodes[node]


class _Serving:
    """An actor: the service of one node. The service ends when the process of the actor does."""

    def __init__(self, cluster: Cluster) -> None:
        settings = {"PYTHONPATH": cluster.python_path} if cluster.python_path else {}
        if cluster.triton_urls:
            settings["DEEPHAR_TRITON_URL"] = cluster.triton_urls
        try:
            self._service: NodeService | str = NodeService(serve_command(cluster.serve), settings)
        except (NotServed, OSError) as error:
            self._service = str(error)

    def address(self) -> tuple[str, str]:
        """Returns the address, or why there is none."""
        return ("", self._service) if isinstance(self._service, str) else (self._service.address, "")


class _Worker:
    """Does the inputs of a task. Ray starts one on each node, and another one where it is lost."""

    def __init__(self, folder: Path, options: BatchOptions, cluster: Cluster, services: Any, kind: Kind) -> None:
        self._output = OutputFolder(folder)
        self._kind, self._wait_s = kind, cluster.wait_s
        self._loop = asyncio.new_event_loop()
        self._threads = ThreadPoolExecutor(4, "deephar-files")
        self._pace = Pace(cluster.in_flight or (4 if kind == "video" else 0))
        address, serving = ray.get(services.of.remote(ray.get_runtime_context().get_node_id()))
        self._fault = ""
        if serving is not None:
            address, self._fault = ray.get(serving.address.remote())
        if not self._fault:
            self._loop.run_until_complete(self._connect(address, options, cluster))

    async def _connect(self, address: str, options: BatchOptions, cluster: Cluster) -> None:
        service = Service(address, cluster.api_key, cluster.ca)
        self._asking = ServiceAsking(service, options, self._output, self._threads)

    def __call__(self, block: pa.Table) -> pa.Table:
        """Returns what became of each input: an error where it has no result. A row without an id ends the batch."""
        if self._fault:
            return _answers([(None, "unavailable", self._fault)])
        return _answers(self._loop.run_until_complete(self._run(block)))

    async def _run(self, block: pa.Table) -> list[tuple[bytes | None, str | None, str | None]]:
        rows: list[tuple[bytes | None, str | None, str | None]] = []

        def done(input: Input, failed: Failed | None) -> None:
            rows.append((os.fsencode(input.id), *(failed or (None, None))))

        def left() -> Iterator[Input]:
            for row in block.to_pylist():
                input = Input(os.fsdecode(row["id"]), os.fsdecode(row["path"]), self._kind if row["known"] else None)
                if self._output.has_result(input.id):  # of a worker that was lost
                    done(input, None)
                else:
                    yield input

        try:
            engine = Engine(self._asking, done, self._wait_s, self._threads, lambda _: None)
            await engine.run(left(), self._pace)
        except DeepharError as error:
            rows.append((None, error.code, error.detail))
        return rows


def _answers(rows: list[tuple[bytes | None, str | None, str | None]]) -> pa.Table:
    columns = zip(
        ("id", "code", "detail"), (pa.binary(), pa.string(), pa.string()), zip(*rows, strict=True), strict=True
    )
    return pa.table({name: pa.array(values, kind) for name, kind, values in columns})
