"""The same as a service of BentoML.

Its batchable API, which takes lists, was tried: as fast with eight callers, slower with one.
"""

import os
import sys
from pathlib import Path
from typing import Any

import bentoml

from bench.speed.peers import common


@bentoml.service(workers=2)
class Pose:
    def __init__(self) -> None:
        self.network = common.session(threads=1)

    @bentoml.api(route="/v1/pose")
    def pose(self, image: Path, boxes: list[list[float]]) -> dict[str, Any]:
        """Runs in BentoML's pool of threads."""
        return {"people": common.people(self.network, [image.read_bytes()] * len(boxes), boxes)}


if __name__ == "__main__":
    program = str(Path(sys.executable).with_name("bentoml"))
    service = "bench.speed.peers.bentoml_service:Pose"
    os.execv(program, [program, "serve", service, "--host", "127.0.0.1", "--port", sys.argv[1]])
