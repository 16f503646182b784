"""The same by LitServe, which batches the requests that wait for a worker."""

import json
import sys
from typing import Any

import litserve
from fastapi import Request

from bench.speed.peers import common


class Pose(litserve.LitAPI):
    def setup(self, device: str) -> None:  # noqa: ARG002 - LitServe's name
        self.network = common.session(threads=1)

    def decode_request(self, request: Request) -> tuple[bytes, list[float]]:
        """Gets the fields of a form."""
        fields: Any = request
        (box,) = json.loads(fields["boxes"])
        return fields["image"].file.read(), box

    def batch(self, inputs: list[Any]) -> list[Any]:
        return inputs

    def predict(self, inputs: list[tuple[bytes, list[float]]]) -> list[dict[str, Any]]:
        jpegs, boxes = zip(*inputs, strict=True)
        return common.people(self.network, jpegs, boxes)

    def unbatch(self, output: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return output

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        return {"people": [output]}


if __name__ == "__main__":
    api = Pose(max_batch_size=8, batch_timeout=0.001, api_path="/v1/pose")
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=2)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", generate_client_file=False)
