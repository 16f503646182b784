"""Builds a model's engines from its ONNX files, compares and publishes them: all of them or none."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from models.files.checksums import sha256_of
from models.tensorrt_engine import comparison_inputs, publishing, report
from models.tensorrt_engine.comparison import Comparison, compare
from models.tensorrt_engine.comparison_inputs import Arrays
from models.tensorrt_engine.half_precision import converted
from models.tensorrt_engine.key import Key, Profile, profile_for
from models.tensorrt_engine.library import TensorRT
from models.tensorrt_engine.prepared_graph import prepare
from models.tensorrt_engine.problem import EngineProblem
from models.tensorrt_engine.progress import Progress
from models.tensorrt_engine.recipe import recipe_for
from models.tensorrt_engine.report import BuiltEngine
from models.tensorrt_engine.triton_models import Network, engine_config
from service.networks.tensors import ACTION_FEATURES

Say = Callable[[str], None]


@dataclass(frozen=True)
class Order:
    """What to build and where to."""

    engines: Path
    cache: Path
    precisions: Mapping[str, str]  # role: precision


def build_model(
    model: str, networks: tuple[Network, ...], order: Order, tensorrt: TensorRT, say: Say, progress: Progress
) -> None:
    """Publishes the model's engines in `order.engines`.

    Args:
        model: Its name.
        networks: The frame network and, where there is one, the clip network.
        order: Folders and precisions.
        tensorrt: The installed TensorRT.
        say: Prints a line of progress.
        progress: Receives the state of the build.

    Raises:
        EngineProblem: An engine cannot be built, or differs from the ONNX file by more than the tolerance.
    """
    publishing.refuse_others_folders(order.engines, [network.name for network in networks])
    keys = {network: _key(network, order, tensorrt) for network in networks}
    found = {network: report.kept(order.engines / network.name, keys[network]) for network in networks}
    built: dict[Network, BuiltEngine] = {}
    for network in networks:
        built[network] = found[network] or _build(network, keys[network], order, tensorrt, say, progress)
        progress.finish()
    if all(found.values()):
        say(f"{model}: nothing has changed, its engines stay")
        reports = {network: built[network].report for network in networks}
    else:
        progress.step("comparing with ONNX Runtime")
        comparisons = _compare(built, tensorrt)
        for network, comparison in comparisons.items():
            say(f"{network.name}: against ONNX Runtime in fp32: {comparison}")
        reports = {network: report.report(built[network], tensorrt.gpu, comparisons[network]) for network in networks}
        if not all(comparison.passed for comparison in comparisons.values()):
            raise _refused(model, comparisons, reports, order, tensorrt)
    # The frame network last: it has the card, with which the service takes the model up.
    for network in reversed(networks):
        config = engine_config(network.config, keys[network].precision, keys[network].profile.largest)
        files = {"config.pbtxt": config.encode(), "1/model.plan": built[network].plan}
        publishing.publish(order.engines, network.name, files | {report.FILE: reports[network].encode()})


def _key(network: Network, order: Order, tensorrt: TensorRT) -> Key:
    return Key(
        onnx_sha256=sha256_of(network.onnx),
        tensorrt=tensorrt.version,
        compute_capability=tensorrt.gpu.compute_capability,
        precision=order.precisions[network.role],
        profile=profile_for(network.config.max_batch_size),
    )


def _build(network: Network, key: Key, order: Order, tensorrt: TensorRT, say: Say, progress: Progress) -> BuiltEngine:
    progress.begin(network.name)
    recipe = recipe_for(key.tensorrt, key.compute_capability, key.precision)
    say(f"{network.name}: building in {key.precision} with TensorRT {key.tensorrt} for {tensorrt.gpu.name}")
    graph = onnx.load(network.onnx)
    prepare(graph)
    graph = converted(graph, recipe.graph)
    batches = (key.profile.smallest, key.profile.usual, key.profile.largest)
    shapes = {
        name: ((batches[0], *dims), (batches[1], *dims), (batches[2], *dims))
        for name, dims in network.input_dims.items()
    }
    # Timings hold for one GPU and one version of TensorRT.
    timing_cache = order.cache / f"timing-{key.tensorrt}-{key.compute_capability}.cache"
    start = time.monotonic()
    plan = tensorrt.build(graph.SerializeToString(), recipe, shapes, timing_cache, progress.step)
    built = BuiltEngine(key, plan, time.monotonic() - start)
    say(f"{network.name}: {built.build_s:.0f} s, {len(plan) / 1e6:.1f} MB")
    return built


def _compare(built: Mapping[Network, BuiltEngine], tensorrt: TensorRT) -> dict[Network, Comparison]:
    """Compares with ONNX Runtime: frame networks on the same pictures, clip networks on their own side's features."""
    comparisons = {}
    features: tuple[Arrays, Arrays] = {}, {}
    for network, engine in built.items():
        count = sum(_batches(engine.key.profile))
        if network.role == "frame":
            pictures = comparison_inputs.frame_inputs(network, count)
            inputs = pictures, pictures
        else:
            reference, ours = (
                comparison_inputs.clip_inputs(network, side[ACTION_FEATURES], count) for side in features
            )
            inputs = reference, ours
        reference = _run_reference(network.onnx, inputs[0], engine.key.profile)
        ours = _joined(tensorrt.run(engine.plan, _split(inputs[1], engine.key.profile)))
        comparisons[network] = compare(reference, ours)
        features = reference, ours
    return comparisons


def _run_reference(file: Path, inputs: Arrays, profile: Profile) -> Arrays:
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return _joined([dict(zip(names, session.run(names, batch), strict=True)) for batch in _split(inputs, profile)])


def _batches(profile: Profile) -> tuple[int, int, int]:
    return profile.smallest, profile.usual, profile.largest


def _split(inputs: Arrays, profile: Profile) -> list[Arrays]:
    """One batch of each size of the profile."""
    ends = np.cumsum(_batches(profile))
    return [
        {name: values[end - size : end] for name, values in inputs.items()}
        for size, end in zip(_batches(profile), ends, strict=True)
    ]


def _joined(batches: list[Arrays]) -> Arrays:
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def _refused(
    model: str,
    comparisons: Mapping[Network, Comparison],
    reports: Mapping[Network, str],
    order: Order,
    tensorrt: TensorRT,
) -> EngineProblem:
    """Withdraws the model, keeps the reports, and makes the error that tells the user what to do."""
    refused = order.cache / "refused"
    refused.mkdir(parents=True, exist_ok=True)
    for network, text in reports.items():
        publishing.withdraw(order.engines, network.name)
        (refused / f"{network.name}.json").write_text(text)
    options = {"frame": "--precision fp32", "clip": "--clip-precision fp32"}
    fixes = [options[network.role] for network in comparisons if order.precisions[network.role] != "fp32"]
    fix = (
        f"deephar-models engine {model} {' '.join(fixes)}   "
        "(with Docker: DEEPHAR_ENGINE_PRECISION=fp32 docker compose up)"
        if fixes
        else f"another version of TensorRT than {tensorrt.version}, or the ONNX file itself, which Triton serves too"
    )
    bad = "; ".join(f"{network.name}: {found}" for network, found in comparisons.items() if not found.passed)
    return EngineProblem(
        f"{model} is not served: its engine says something else than the ONNX file. {bad}.\n"
        f"What helps: {fix}\nReports: {refused}"
    )
