"""Triton's backend `onnxruntime` on OpenVINO: runs a network's `model.onnx` on the CPU.

For machines without a compiler: `openvino_backend.cc` does the same inside the server, sooner and in less memory.

Installed as `onnxruntime/model.py` in the embedded server's backend directory. Runs inside Triton's Python stub with
NumPy 1 (with NumPy 2 this Triton answers with empty tensors).
"""

import contextlib
import glob
import json
import os

import numpy as np
import openvino
import triton_python_backend_utils as triton


def keep_private():
    """Restricts the shared memory to this user before pictures pass through: Triton opens it to all, despite umask."""
    for region in glob.glob(os.environ["DEEPHAR_SHARED_MEMORY"] + "*"):
        with contextlib.suppress(FileNotFoundError):  # of a stub that has ended
            os.chmod(region, 0o600)


class TritonPythonModel:
    def initialize(self, args):
        keep_private()
        config = json.loads(args["model_config"])
        self.inputs = [tensor["name"] for tensor in config["input"]]
        self.outputs = [tensor["name"] for tensor in config["output"]]
        path = os.path.join(args["model_repository"], args["model_version"], "model.onnx")
        core = openvino.Core()
        # The batch is fixed to one row. With a dynamic batch OpenVINO infers all shapes at each call.
        network = core.read_model(path)
        network.reshape({port.any_name: [1, *list(port.partial_shape)[1:]] for port in network.inputs})
        options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": self.precision(core)}
        self.request = core.compile_model(network, "CPU", options).create_infer_request()
        # The first inference is slow: it is run before there are callers.
        self.request.infer(
            {
                tensor["name"]: np.zeros(
                    [1, *map(int, tensor["dims"])], triton.triton_string_to_numpy(tensor["data_type"])
                )
                for tensor in config["input"]
            }
        )

    @staticmethod
    def precision(core):
        """Returns bf16 where the CPU computes in it (AMX, AVX512-BF16), unless DEEPHAR_PRECISION says otherwise."""
        wanted = os.environ.get("DEEPHAR_PRECISION", "auto")
        if wanted == "auto":
            wanted = "bf16" if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "fp32"
        return {"bf16": "bf16", "fp32": "f32"}[wanted]

    def execute(self, requests):
        """Runs one inference for all requests of Triton's dynamic batch."""
        parts = [
            [triton.get_input_tensor_by_name(request, name).as_numpy() for name in self.inputs] for request in requests
        ]
        feed = {
            name: parts[0][i] if len(parts) == 1 else np.concatenate([part[i] for part in parts])
            for i, name in enumerate(self.inputs)
        }
        try:
            arrays = self.infer(feed)
        except Exception as error:
            failed = triton.TritonError(f"OpenVINO: {error}")
            return [triton.InferenceResponse(error=failed) for _ in requests]
        responses, start = [], 0
        for part in parts:
            end = start + len(part[0])
            tensors = [triton.Tensor(name, array[start:end]) for name, array in zip(self.outputs, arrays, strict=True)]
            responses.append(triton.InferenceResponse(tensors))
            start = end
        return responses

    def infer(self, feed):
        """Returns the outputs of all rows, which are computed one after another."""
        answers = []
        for row in range(len(feed[self.inputs[0]])):
            results = self.request.infer({name: array[row : row + 1] for name, array in feed.items()})
            answers.append([np.array(results[name]) for name in self.outputs])
        return [np.concatenate(parts) for parts in zip(*answers, strict=True)]
