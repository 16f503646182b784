"""Weight files of the right network, of another one, or with an array that is wrong."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import onnxruntime
import pytest
import torch

from models.deephar.networks import NETWORKS
from models.weights import keras_file, keras_match, store
from models.weights.content_check import check_sees_people
from models.weights.keras_file import FileArray, FileGroup, WrongWeights
from models.weights.released import imported_file, released_for
from tests.models.made_weights import GOLDEN, MODELS, NAMES, made_file, made_network
from tests.models.weights.changed_files import changed, names_in, refused

ROOT = Path(__file__).resolve().parent.parent.parent.parent
LITE = ROOT / "model_repository" / "lite_frame" / "1" / "model.onnx"


def test_an_import_is_kept_with_where_it_came_from_and_fills_the_network(files: Path, tmp_path: Path) -> None:
    file = made_file("ntu", files)
    target = store.import_file("ntu", file, tmp_path, check_content=False)
    assert target == imported_file("ntu", tmp_path)
    network, about = store.read_imported("ntu", tmp_path)
    assert about.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (about.file, about.checked) == ("ntu.h5", "no")
    for (name, ours), (_, theirs) in zip(
        network.state_dict().items(), made_network("ntu", files).state_dict().items(), strict=True
    ):
        assert torch.equal(ours, theirs), name


def test_a_network_cut_short_takes_its_part_of_the_weights(files: Path, tmp_path: Path) -> None:
    store.import_file("ntu", made_file("ntu", files), tmp_path, check_content=False)
    (cut, _), whole = store.read_imported("ntu", tmp_path, blocks=2), made_network("ntu", files)
    picture = torch.rand(1, 3, 256, 256)
    cut.to(memory_format=torch.channels_last)  # as the other
    with torch.inference_mode():
        short, long = cut.frame(picture), whole.frame(picture)
    assert len(short.poses) == 2
    for ours, theirs in zip(short.poses, long.poses, strict=False):
        assert torch.equal(ours, theirs)
    assert torch.allclose(short.features, long.features[:, : short.features.shape[1]])


# The first array in which two networks' files differ, by (the network wanted, the file given).
OTHERS = {
    ("mpii", "h36m"): "RegMap1/conv2d_13/kernel:0 has shape (1, 1, 576, 272), not (1, 1, 576, 48)",
    ("h36m", "mpii"): "RegMap1/conv2d_13/kernel:0 has shape (1, 1, 576, 48), not (1, 1, 576, 272)",
    ("mpii", "penn"): "conv1/conv1/kernel:0 has shape (7, 7, 3, 64), not (3, 3, 3, 32)",
    ("penn", "mpii"): "conv1/kernel is missing",
    ("penn-cvpr18", "mpii"): "SepConv1/batch_normalization_13/moving_mean:0 stands where a kernel of td_Model1",
    ("mpii", "penn-cvpr18"): "td_Model1/conv2d_13/kernel:0 stands where a moving_mean of SepConv1",
    ("ntu-cvpr18", "penn-cvpr18"): "td_Model1/conv2d_13/kernel:0 has shape (1, 1, 576, 48), not (1, 1, 576, 160)",
    ("ntu", "penn"): "dp1_pb1_heatmaps_conv1/kernel:0 has shape (1, 1, 384, 16), not (1, 1, 384, 17)",
}


@pytest.mark.parametrize(("wanted", "given"), OTHERS)
def test_the_file_of_another_network_is_refused_by_its_first_array(wanted: str, given: str, files: Path) -> None:
    assert OTHERS[wanted, given] in refused(wanted, made_file(given, files))


def test_replica_maps_that_are_missing_are_named(files: Path, tmp_path: Path) -> None:
    layer = "dp5_pb1_heatmaps_conv1_replica"
    with changed(made_file("penn", files), tmp_path) as (root, file):
        root.attrs["layer_names"] = [name for name in names_in(root) if name != layer]
    message = refused("penn", file)
    assert f"{layer}/kernel is missing" in message
    assert "another network" in message


def test_an_array_that_the_network_has_no_place_for_is_named(files: Path, tmp_path: Path) -> None:
    with changed(made_file("penn", files), tmp_path) as (root, file):
        root.copy(root["dp1_pb1_heatmaps_conv1"], root, "dp1_pb1_heatmaps_conv1_replica")
        root.attrs["layer_names"] = [*names_in(root), "dp1_pb1_heatmaps_conv1_replica"]
    assert "dp1_pb1_heatmaps_conv1_replica/" in refused("penn", file)


def _reshape(root: h5py.File) -> None:
    values = root["RegMap2/conv2d_16/kernel:0"][()]
    del root["RegMap2/conv2d_16/kernel:0"]
    root["RegMap2/conv2d_16/kernel:0"] = values[..., :-1]


def _lose(root: h5py.File) -> None:
    del root["RegMap2/conv2d_16/kernel:0"]


def _swap(root: h5py.File) -> None:
    names = list(root["SepConv2"].attrs["weight_names"])
    root["SepConv2"].attrs["weight_names"] = [*names[:3], names[4], names[3]]


def _poison(root: h5py.File) -> None:
    root["RegMap2/conv2d_16/kernel:0"][0, 0, 0, 0] = np.nan


def _bend_ramp(root: h5py.File) -> None:
    root["sSAM/separable_conv2d_1/depthwise_kernel:0"][3, 4, 5, 0] += 0.1


def _mix_identity(root: h5py.File) -> None:
    root["cSAM/separable_conv2d_3/pointwise_kernel:0"][0, 0, 1, 2] = 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_reshape, "RegMap2/conv2d_16/kernel:0 has shape (1, 1, 576, 47), not (1, 1, 576, 48)"),
        (_lose, "an array RegMap2/conv2d_16/kernel:0 and does not have it"),
        (_swap, "SepConv2/batch_normalization_16/moving_variance:0 stands where a moving_mean"),
        (_poison, "RegMap2/conv2d_16/kernel:0 has numbers that are not finite"),
        (_bend_ramp, "sSAM/separable_conv2d_1/depthwise_kernel:0 is no ramp"),
        (_mix_identity, "cSAM/separable_conv2d_3/pointwise_kernel:0 is not the constant"),
    ],
)
def test_a_wrong_array_is_named(change: Callable[[h5py.File], None], says: str, files: Path, tmp_path: Path) -> None:
    with changed(made_file("mpii", files), tmp_path) as (root, file):
        change(root)
    assert says in refused("mpii", file)


# One of each family, and the others with all that is of the six.
EACH = [
    pytest.param(model, marks=[] if model in ("mpii", "penn-cvpr18", "ntu") else pytest.mark.networks)
    for model in MODELS
]


@pytest.mark.parametrize("model", EACH)
def test_every_array_goes_to_one_place_and_no_two_to_the_same(model: str, files: Path) -> None:
    """Each array is filled with a number of its own, which must come out in one whole tensor."""
    spec = json.loads((GOLDEN / "spec" / f"{NAMES[model]}.json").read_text())
    fixed = {f"{g['name']}/{w['name']}" for g in spec["groups"] for w in g["weights"] if w["kind"].startswith("fixed_")}
    numbers = itertools.count(2)
    used, groups = set(), []
    for group in keras_file.read(made_file(model, files)):
        arrays = []
        for array in group.arrays:
            values = array.values
            if f"{group.name}/{array.name}" not in fixed:
                number = next(numbers)
                used.add(number)
                values = np.full_like(values, number)
            arrays.append(FileArray(array.name, values))
        groups.append(FileGroup(group.name, tuple(arrays)))
    network = NETWORKS[model].build()
    keras_match.load(network, groups)
    found = [set(value.unique().tolist()) for value in network.state_dict().values()]
    assert sorted(number for (number, *_) in found if number in used) == sorted(used)
    assert all(len(values) == 1 or values.isdisjoint(used) for values in found)


@pytest.mark.parametrize("model", EACH)
def test_random_weights_are_refused_and_leave_nothing(model: str, files: Path, tmp_path: Path) -> None:
    with pytest.raises(WrongWeights, match="not trained"):
        store.import_file(model, made_file(model, files), tmp_path)
    assert not list(tmp_path.rglob("*.*"))


def test_fresh_weights_have_all_joints_at_the_centre(tmp_path: Path) -> None:
    network = NETWORKS["mpii"].build(1)
    with pytest.raises(WrongWeights, match="at the image's centre"):
        check_sees_people(store._joints_by(network), 256)


def test_a_trained_network_passes() -> None:
    session = onnxruntime.InferenceSession(str(LITE))
    check_sees_people(lambda crops: session.run(["keypoints"], {"image": crops})[0], 192)


def test_the_published_sum_is_believed(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = made_file("ntu", files)
    published = replace(released_for("ntu"), md5=hashlib.md5(file.read_bytes()).hexdigest())
    monkeypatch.setattr(store, "released_for", lambda model: published)
    store.import_file("ntu", file, tmp_path)
    assert store.read_imported("ntu", tmp_path)[1].checked == "md5"


def test_a_full_disk_leaves_no_half_written_weights(files: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: the real command, the real error."""
    command = [
        sys.executable,
        "-m",
        "models.cli",
        "weights",
        "import",
        "ntu",
        str(made_file("ntu", files)),
        "--unchecked",
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"DEEPHAR_CACHE": str(tmp_path)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20)),
    )
    assert done.returncode == 1
    assert "deephar-models: " in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(imported_file("ntu", tmp_path).parent.iterdir())


def test_kept_weights_that_are_damaged_are_told(files: Path, tmp_path: Path) -> None:
    kept = store.import_file("ntu", made_file("ntu", files), tmp_path, check_content=False)
    kept.write_bytes(kept.read_bytes()[:-1000])
    with pytest.raises(WrongWeights, match="import them again"):
        store.read_imported("ntu", tmp_path)


def test_maps_of_the_action_part_are_used_where_ntus_file_has_them(files: Path, tmp_path: Path) -> None:
    """The published file's original name speaks of such maps; the original's by-name loading would not tell."""
    with changed(made_file("ntu", files), tmp_path) as (root, file):
        names = [name for name in names_in(root) if name.endswith("_heatmaps_conv1")]
        for name in names:
            group = root.create_group(f"{name}_replica")
            group.attrs["weight_names"] = [f"{name}_replica/kernel:0"]
            group[f"{name}_replica/kernel:0"] = root[f"{name}/{name}/kernel:0"][()] * 2
        root.attrs["layer_names"] = [*names_in(root), *(f"{name}_replica" for name in names)]
    store.import_file("ntu", file, tmp_path, check_content=False)
    network, about = store.read_imported("ntu", tmp_path, blocks=3)
    assert about.replica
    heatmaps = network.frame.dp1["pb2"].heatmaps
    assert torch.equal(heatmaps.conv1_replica.weight, heatmaps.conv1.weight * 2)
