"""`deephar batch --ray` on a cluster of two nodes on this machine, one of which is lost on the way.

Runs in the environment of Ray, and starts the services of the nodes in that of the gateway.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SERVE = f"{ROOT / '.venv/bin/python'} -m service"
GOOD = 240  # more than one service answers until the other node's is there

pytestmark = pytest.mark.bulk
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
ray_cluster = pytest.importorskip("ray.cluster_utils")


@pytest.fixture
def cluster() -> Iterator[Any]:
    node = {"num_cpus": 2, "object_store_memory": 80 * 2**20, "node_ip_address": "127.0.0.2"}
    cluster = ray_cluster.Cluster(
        initialize_head=True, head_node_args={**node, "num_cpus": 1, "include_dashboard": False}
    )
    try:
        cluster.second = cluster.add_node(**{**node, "num_cpus": 1})
        yield cluster
    finally:
        cluster.shutdown()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    person = cv2.resize(cv2.imread(str(ROOT / "samples/person.jpg")), (320, 240))
    for number in range(GOOD):
        cv2.imwrite(str(folder / f"{number:03}.jpg"), np.roll(person, number, axis=1))
    (folder / "bad.png").write_bytes(b"no picture")
    return folder


def batch(pictures: Path, output: Path, cluster: Any, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "deephar", "batch", str(pictures), "-o", str(output)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "clients/python/src")))}
    return subprocess.Popen(
        [*command, "--ray", cluster.address, "--serve", SERVE, *options],
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
    )


def contents(output: Path) -> dict[str, Any]:
    """Returns what a batch has made, without what differs from run to run: times."""
    files = {}
    for file in sorted(output.rglob("*")):
        if file.is_file() and ".batch" not in file.parts:
            lines = [json.loads(line) for line in file.read_text().splitlines()]
            for line in lines:
                line.pop("timing_ms", None)
            files[str(file.relative_to(output))] = lines
    return files


def services() -> list[str]:
    """Returns the command lines of the guards of services that run."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = file.read_text()
        except OSError:  # it ended in between
            continue
        if "bulk/guard.py" in text:
            found.append(text)
    return found


def test_a_node_that_is_lost_changes_nothing(cluster: Any, pictures: Path, tmp_path: Path) -> None:
    undisturbed = batch(pictures, tmp_path / "undisturbed", cluster)
    _, said = undisturbed.communicate(timeout=60)
    assert undisturbed.returncode == 1, said
    assert f"{GOOD} done, 1 failed" in said
    wanted = contents(tmp_path / "undisturbed")
    assert len([name for name in wanted if name.startswith("results/")]) == GOOD
    assert [error["file"] for error in wanted["errors.jsonl"]] == ["bad.png"]

    output = tmp_path / "disturbed"
    disturbed = batch(pictures, output, cluster)
    while len(services()) < 2 or len(list(output.rglob("*.jsonl"))) < GOOD // 3:  # one service on each node
        assert disturbed.poll() is None
        time.sleep(0.05)
    assert len(list(output.rglob("*.jpg.jsonl"))) < GOOD
    cluster.remove_node(cluster.second, allow_graceful=False)
    _, said = disturbed.communicate(timeout=60)
    assert disturbed.returncode == 1, said
    assert contents(output) == wanted
    deadline = time.monotonic() + 30
    while services() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert services() == []
