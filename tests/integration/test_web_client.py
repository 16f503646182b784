"""The client for browsers and Node, in Node against the real service: clients/web/tests, and what its README shows."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import pytest

from service.access.keys import new_key
from service.testing.running import running_service
from tests.conftest import ROOT, SAMPLES

WEB = ROOT / "clients" / "web"
KEYS = {"any": "", "slow": 'rate = "1 per 2 seconds"\n', "seldom": 'rate = "1/hour"\n', "alone": "streams = 1\n"}
CAMERA = """
import WebSocket from "ws";
import { readdirSync } from "node:fs";

globalThis.WebSocket ??= WebSocket;
async function* camera(folder) {
  for (const name of readdirSync(folder)) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    yield await readFile(`${folder}/${name}`);
  }
}
const pictures = camera(process.env.TEST_FRAMES);
let shown = 0;
const show = (people) => (shown += people.length);
"""


@dataclass
class Node:
    """Node in the client's folder, with a service whose callers need keys."""

    program: str
    environment: dict[str, str]
    url: str
    key: str

    def run(self, *arguments: str, folder: Path = WEB) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.program, *arguments],
            cwd=folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
        )


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    program = shutil.which("node")
    if program is None or not (WEB / "node_modules").is_dir():
        pytest.skip("Node or what clients/web tests with is not installed (Debian: nodejs npm; then make web)")
    folder = tmp_path_factory.mktemp("web")
    (folder / "frames").mkdir()
    with av.open(str(SAMPLES / "jumping_jacks.mp4")) as video:
        for index, frame in enumerate(video.decode(video=0)):
            cv2.imwrite(str(folder / "frames" / f"{index:03}.jpg"), frame.to_ndarray(format="bgr24"))
    made = {name: new_key(name) for name in KEYS}
    file = folder / "keys.toml"
    file.write_text("".join(made[name][1] + limits for name, limits in KEYS.items()))
    keys = {name: key for name, (key, _) in made.items()}
    with running_service(keys=str(file)) as service:
        environment = {
            **os.environ,
            "DEEPHAR_ADDRESS": service.url,
            "TEST_KEYS": json.dumps(keys),
            "TEST_FRAMES": str(folder / "frames"),
        }
        yield Node(program, environment, service.url, keys["any"])


def test_the_client(node: Node) -> None:
    done = node.run("--test")
    assert done.returncode == 0, done.stdout


def test_what_the_readme_shows(node: Node, tmp_path: Path) -> None:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", (WEB / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    asking, live = (text for language, text in blocks if language == "js")
    (printed,) = (text for language, text in blocks if language == "text")
    there = '{ address: "http://localhost:8080" }'
    assert there in asking
    asking = asking.replace(there, json.dumps({"address": node.url, "apiKey": node.key}))
    (tmp_path / "node_modules").symlink_to(WEB / "node_modules")
    asking = asking.replace('"deephar-client"', json.dumps(str(WEB / "client.js")))
    (tmp_path / "shown.mjs").write_text(f"{CAMERA}{asking}{live}console.log(shown > 5);\n")
    assert node.run(str(tmp_path / "shown.mjs"), folder=ROOT).stdout == f"{printed}true\n"
