"""Writes `config.pbtxt` through Triton's own protobuf, never by hand."""

from __future__ import annotations

import json
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

MAX_BATCH = 32
LONGEST_IN_QUEUE_S = 3600  # Triton lets requests ask for less than this, not for more
Tensor = tuple[str, tuple[int, ...]]  # Triton's type without TYPE_, shape without the batch


def write(
    folder: Path,
    inputs: dict[str, Tensor],
    outputs: dict[str, Tensor],
    max_batch: int,
    card: dict[str, object] | None = None,
) -> None:
    """Writes the configuration of the Triton model in `folder`, with dynamic batching and, where given, the card."""
    config = model_config_pb2.ModelConfig(name=folder.name, backend="onnxruntime", max_batch_size=max_batch)
    for name, (kind, dims) in inputs.items():
        config.input.add(name=name, data_type=f"TYPE_{kind}", dims=dims)
    for name, (kind, dims) in outputs.items():
        config.output.add(name=name, data_type=f"TYPE_{kind}", dims=dims)
    # One instance uses all cores. Triton's default of two takes half as long again to start, at the same throughput.
    config.instance_group.add(kind="KIND_AUTO", count=1)
    # Requests that queue while the network is busy are batched; none waits for others.
    config.dynamic_batching.max_queue_delay_microseconds = 0
    # Live streams, single pictures, bulk work: see service.networks.urgency.
    config.dynamic_batching.priority_levels = 3
    config.dynamic_batching.default_priority_level = 2
    # What has waited until its caller's time was over is refused, not computed.
    policy = config.dynamic_batching.default_queue_policy
    policy.default_timeout_microseconds = LONGEST_IN_QUEUE_S * 1_000_000
    policy.allow_timeout_override = True
    if card is not None:
        config.parameters["card"].string_value = json.dumps(card)
    text = text_format.MessageToString(config, as_utf8=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.pbtxt").write_text(text)
