"""`deephar-models train`, and what becomes of its checkpoint by the commands that take released files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch import nn

from models import cli
from models.deephar.merged import V1, MergedConfig
from models.deephar.networks import build
from models.deephar.reception import ReceptionConfig
from models.deephar.spnet_config import SPNetConfig
from models.training import checkpoint, log
from models.training.command import train
from models.training.distributed import Process
from models.training.initial import start_from
from models.training.loop import Settings
from models.training.problem import CannotTrain
from models.training.recipe import RecipeProblem
from models.training.recipes import RECIPES
from models.training.stopping import Stop
from models.weights.released import imported_file
from tests.models.datasets import made_mpii, made_penn
from tests.models.training.made_mpii_training import ONE_BLOCK, make_small

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Trained:
    """What the command left."""

    data: Path
    out: Path

    @property
    def checkpoint(self) -> Path:
        return self.out / checkpoint.LAST

    def arguments(self, *more: str) -> list[str]:
        return ["train", "mpii", "--data", f"mpii={self.data}", "--workers", "0", "--log-steps", "1", *more]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    """A tiny training, imported."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        made = Trained(make_small(folder, patch), folder / "out")
        assert cli.main(made.arguments("--out", str(made.out))) == 0
        assert cli.main(["weights", "import", "mpii", str(made.checkpoint), "--unchecked"]) == 0
        yield made


def network_of(file: Path) -> nn.Module:
    network = build(ONE_BLOCK)
    network.load_state_dict(checkpoint.read(file)["network"])
    return network.eval()


def test_the_log_has_the_figure_of_the_validation_split(trained: Trained) -> None:
    *steps, epoch = log.lines_of(trained.out)
    assert [line["step"] for line in steps] == [1, 2]
    assert 0 <= epoch["validation"]["pckh"] <= 1
    assert (trained.out / checkpoint.BEST).exists()
    assert (trained.out / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_weights_that_see_nobody_are_refused_without_unchecked(
    trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["weights", "import", "mpii", str(trained.checkpoint)]) == 1
    told = capsys.readouterr().err
    assert "cannot be the weights of mpii" in told
    assert "published" not in told


def test_a_checkpoint_is_not_taken_for_another_model(trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["weights", "import", "h36m", str(trained.checkpoint), "--unchecked"]) == 1
    assert "trained by the recipe mpii: deephar-models weights import mpii" in capsys.readouterr().err


def test_a_file_that_is_neither_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"some": torch.zeros(1)}, tmp_path / "some.pt")
    assert cli.main(["weights", "import", "mpii", str(tmp_path / "some.pt")]) == 1
    assert "no checkpoint of a training" in capsys.readouterr().err


def test_the_same_command_again_says_that_it_is_finished(trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(trained.arguments("--out", str(trained.out))) == 0
    assert "the training is finished" in capsys.readouterr().out


def test_fine_tuning_starts_from_the_checkpoint_and_notes_it(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--out", str(tmp_path), "--init", str(trained.checkpoint), "--no-validation")
    assert cli.main(trained.arguments(*options)) == 0
    assert "(100.0% of the numbers)" in capsys.readouterr().out
    found = checkpoint.read(tmp_path / checkpoint.LAST)
    assert found["origin"].started_from.startswith("checkpoint.pt (sha256 ")
    before = checkpoint.read(trained.checkpoint)["network"]
    changes = [(found["network"][name] - before[name]).abs().max() for name in before if name.endswith("conv.weight")]
    furthest = float(max(changes))
    assert 0 < furthest < 0.01  # two steps of a small rate


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["mpii", "--out", "out"], 2, "Missing option '--data'"),
        (["mpii", "--data", "mpii", "--out", "out"], 2, "NAME=DIR is wanted"),
        (["mpii", "--data", "imagenet=x", "--out", "out"], 2, "NAME one of mpii, lsp"),
        (["mpii", "--data", "mpii=x", "--data", "mpii=y", "--out", "out"], 2, "mpii is given twice"),
        (["h36m", "--data", "mpii=x", "--out", "out"], 2, "The recipe h36m needs the data of h36m: --data h36m=DIR"),
        (["mpii", "--data", "mpii=x", "--data", "lsp=y", "--out", "out"], 2, "The recipe mpii does not learn from lsp"),
        (["mpii", "--data", "mpii=x", "--phase", "all", "--out", "out"], 2, "has no phase all; it has pose."),
        (["mpii", "--data", "mpii=nowhere", "--out", "out"], 1, "nowhere"),
        (
            ["mpii", "--data", "mpii=x", "--out", "out", "--device", "gpu"],
            1,
            "--device gpu: there is no such device here",
        ),
        (["mpii", "--data", "mpii=x", "--out", "out", "--device", "cuda:99"], 1, "--device cuda:99: there is no such"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(
    words: list[str], status: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert cli.main(["train", *words]) == status
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_some_phases_need_the_data_of_these_phases_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["train", "penn", "--phase", "actions", "--out", "out"]
    assert cli.main([*words, "--data", "mpii=x"]) == 2
    assert "The recipe penn needs the data of penn" in capsys.readouterr().err
    assert cli.main([*words, "--data", "penn=nowhere"]) == 1
    assert "nowhere" in capsys.readouterr().err


def test_a_batch_that_the_processes_cannot_share_is_told_before_the_first_phase(tmp_path: Path) -> None:
    made_mpii.make(tmp_path / "mpii", train=2, val=1)
    made_penn.make(tmp_path / "penn", train=2, test=1, frames=10)
    data = {name: tmp_path / name for name in ("mpii", "penn")}
    eighth = Process(torch.device("cpu"), rank=1, world=8)
    with pytest.raises(RecipeProblem, match="phase actions has 0 pictures and 4 clips a batch, which 8 processes"):
        train(RECIPES["penn"], data, tmp_path / "out", None, Settings(), eighth, Stop())
    assert not (tmp_path / "out").exists()


SMALL = ReceptionConfig(joints=16, blocks=2, map_size=4, kernel=3)
SPNET = SPNetConfig(16, 2, 15, pyramids=1, action_pyramids=(1,), action_features=16, levels=2, growth=16, image_size=32)


def kept(network: nn.Module, file: Path) -> Path:
    torch.save({"network": network.state_dict()}, file)
    return file


def test_a_pose_network_starts_the_pose_part_of_a_merged_one(tmp_path: Path) -> None:
    pose, merged = build(SMALL), build(MergedConfig(SMALL, 15, V1, visual_features=32))
    said = start_from(kept(pose, tmp_path / "pose.pt"), merged, "penn-cvpr18")
    assert "random stay" in said
    for name, values in pose.state_dict().items():
        assert torch.equal(merged.state_dict()[f"frame.pose.{name}"], values), name


def test_maps_for_actions_start_as_those_of_the_poses(tmp_path: Path) -> None:
    plain, replica = build(SPNET), build(replace(SPNET, replica=True))
    start_from(kept(plain, tmp_path / "plain.pt"), replica, "ntu")
    state: dict[str, Any] = replica.state_dict()
    copied = [name for name in state if "conv1_replica" in name]
    assert copied
    for name in copied:
        assert torch.equal(state[name], plain.state_dict()[name.replace("conv1_replica", "conv1")])


def test_the_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotTrain, match=r"has \d+% of the weights of ntu, by name and shape"):
        start_from(kept(build(SMALL), tmp_path / "other.pt"), build(SPNET), "ntu")


def test_a_keras_file_of_another_network_is_told_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "other.h5"
    with h5py.File(file, "w") as made:
        made.attrs["layer_names"] = [b"conv1"]
        group = made.create_group("conv1")
        group.attrs["weight_names"] = [b"conv1/kernel:0"]
        group["conv1/kernel:0"] = np.zeros((7, 7, 3, 64), np.float32)
    with pytest.raises(CannotTrain, match=r"other.h5 has not the weights of mpii: .*must be imported first"):
        start_from(file, build(ONE_BLOCK), "mpii")


def test_imported_weights_start_a_training(trained: Trained) -> None:
    file = imported_file("mpii", trained.data.parent / "cache")
    network = build(ONE_BLOCK)
    assert "(100.0% of the numbers)" in start_from(file, network, "mpii")
    wanted = network_of(trained.checkpoint).state_dict()
    assert all(torch.equal(values, wanted[name]) for name, values in network.state_dict().items())
