"""deephar's networks with made weights: what they are, and what a service and its Triton answer for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import tritonclient.grpc as triton

from service.testing.running import ServiceProcess

DIMS_AND_ACTIONS = {
    "mpii": (2, 0),
    "h36m": (3, 0),
    "penn": (2, 15),
    "ntu": (3, 60),
    "penn-cvpr18": (2, 15),
    "ntu-cvpr18": (3, 60),
}
BOX = "[[225, 70, 190, 345]]"  # the person in the sample picture


def pose(service: ServiceProcess, picture: bytes, box: bool = True, **options: str) -> dict[str, Any]:
    sent = ({"boxes": BOX} if box else {}) | options
    response = httpx.post(f"{service.url}/v1/pose", files={"image": picture}, data=sent, timeout=120)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def infer(service: ServiceProcess, model: str, name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    tensor = triton.InferInput(name, list(values.shape), "UINT8" if values.dtype == np.uint8 else "FP32")
    tensor.set_data_from_numpy(values)
    with triton.InferenceServerClient(service.triton_address()) as client:
        result = client.infer(model, [tensor])
    return {output.name: result.as_numpy(output.name) for output in result.get_response().outputs}


def served(
    service: ServiceProcess, model: str, repository: Path
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """What Triton answers for the expected pictures, and what torch said."""
    expected = dict(np.load(repository.parent / "expected" / f"{model}.npz"))
    found = infer(service, f"{model}_frame", "image", expected["pictures"])
    if "action_scores" in expected:
        found |= infer(service, f"{model}_clip", "action_features", found["action_features"][None])
    return found, expected
