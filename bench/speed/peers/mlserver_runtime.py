"""The same as a runtime of MLServer, with its adaptive batching: JSON of the V2 protocol, the JPEG in base64."""

import json
import os
import sys
from pathlib import Path

import numpy as np
from mlserver import MLModel
from mlserver.codecs import Base64Codec, NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

from bench.speed.peers import common

MODEL = {
    "name": "pose",
    "implementation": "bench.speed.peers.mlserver_runtime.Pose",
    "max_batch_size": 8,
    "max_batch_time": 0.001,
}
SERVER = {"host": "127.0.0.1", "metrics_endpoint": None, "debug": False, "parallel_workers": 2}


class Pose(MLModel):
    async def load(self) -> bool:
        self.network = common.session(threads=1)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answers the pictures of several requests, which MLServer has put together."""
        jpegs, boxes = Base64Codec.decode_input(payload.inputs[0]), NumpyCodec.decode_input(payload.inputs[1]).tolist()
        people = [person["keypoints"] for person in common.people(self.network, jpegs, boxes)]
        joints = np.array([[[joint[name] for name in ("x", "y", "z")] for joint in one] for one in people], np.float32)
        scores = np.array([[joint["score"] for joint in one] for one in people], np.float32)
        outputs = [NumpyCodec.encode_output("keypoints", joints), NumpyCodec.encode_output("scores", scores)]
        return InferenceResponse(model_name=self.name, outputs=outputs)


def serve(port: int) -> None:
    """Writes MLServer's settings into the present folder, and becomes its process."""
    Path("settings.json").write_text(json.dumps(SERVER | {"http_port": port, "grpc_port": port + 1}))
    Path("model-settings.json").write_text(json.dumps(MODEL))
    program = str(Path(sys.executable).with_name("mlserver"))
    os.execv(program, [program, "start", "."])


if __name__ == "__main__":
    serve(int(sys.argv[1]))
