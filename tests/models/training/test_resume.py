"""A training that was stopped, anywhere and in any way, ends as one that was not, bit for bit."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from models.training import checkpoint, log
from models.training.loop import Settings
from models.training.problem import CannotTrain, Stopped
from tests.models.training import tiny_recipes
from tests.models.training.made_samples import InMemory
from tests.models.training.made_training import PHASES, NoData, phase, tiny, train

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training that nothing stopped."""
    folder = tmp_path_factory.mktemp("undisturbed")
    train(folder, tiny())
    return folder


def same(ours: Any, theirs: Any) -> bool:
    """Whether two checkpoints, or parts of them, are the same bit for bit."""
    if isinstance(ours, torch.Tensor):
        return torch.equal(ours, theirs)
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(same(ours[name], theirs[name]) for name in ours)
    return bool(ours == theirs)


def timeless(folder: Path) -> list[dict[str, Any]]:
    return [{name: value for name, value in line.items() if name != "seconds"} for line in log.lines_of(folder)]


def check_same(ours: Path, theirs: Path) -> None:
    assert same(checkpoint.read(ours / checkpoint.LAST), checkpoint.read(theirs / checkpoint.LAST))
    assert timeless(ours) == timeless(theirs)


def test_two_trainings_are_the_same_and_another_seed_is_another_one(undisturbed: Path, tmp_path: Path) -> None:
    train(tmp_path / "again", tiny())
    check_same(tmp_path / "again", undisturbed)
    train(tmp_path / "other", tiny(), Settings(seed=1, log_steps=2))
    ours, theirs = (checkpoint.read(folder / checkpoint.LAST) for folder in (tmp_path / "other", undisturbed))
    assert not same(ours["network"], theirs["network"])


def test_a_training_that_is_stopped_at_random_steps_ends_the_same(undisturbed: Path, tmp_path: Path) -> None:
    stops = random.Random(3)
    for of in PHASES:
        at = (of.name, stops.randrange(of.epochs), stops.randrange(of.steps_per_epoch - 1))
        with pytest.raises(Stopped) as stopped:
            train(tmp_path, tiny(stop_before=at))
        assert stopped.value.signal == signal.SIGTERM
        position = checkpoint.read(tmp_path / checkpoint.LAST)["position"]
        assert (PHASES[position.phase].name, position.epoch, position.step - 1) == at, "the step was not finished"
    train(tmp_path, tiny())
    check_same(tmp_path, undisturbed)


def test_a_real_recipe_with_three_phases_and_two_data_sets_ends_the_same_too(tmp_path: Path) -> None:
    recipe = tiny_recipes.tiny("penn")
    recipe = replace(recipe, phases=tuple(replace(phase, steps_per_epoch=3) for phase in recipe.phases))
    sources = {name: InMemory(name, 5) for name in ("mpii", "penn")}
    each_step = Settings(log_steps=1)
    train(tmp_path / "whole", recipe, each_step, sources)
    stops = iter((1, 5, 9))
    stop = next(stops)

    def say(_: str) -> None:
        if len(log.lines_of(tmp_path / "parts")) == stop:
            os.kill(os.getpid(), signal.SIGTERM)

    while stop:
        with pytest.raises(Stopped):
            train(tmp_path / "parts", recipe, each_step, sources, say=say)
        stop = next(stops, 0)
    train(tmp_path / "parts", recipe, each_step, sources)
    check_same(tmp_path / "parts", tmp_path / "whole")


def test_a_finished_training_stays_as_it_is(undisturbed: Path) -> None:
    before = (undisturbed / checkpoint.LAST).read_bytes()
    said: list[str] = []
    train(undisturbed, tiny(), say=said.append)
    assert said == [f"{undisturbed / checkpoint.LAST}: the training is finished"]
    assert (undisturbed / checkpoint.LAST).read_bytes() == before


def begin(folder: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.models.training.made_training", str(folder), *options]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.networks
def test_after_kill_9_the_same_command_ends_the_same_and_no_process_is_left(undisturbed: Path, tmp_path: Path) -> None:
    options = ("--pause", "0.2", "--workers", "2", "--steps", "2")
    running = begin(tmp_path, *options)
    assert running.stdout
    deadline = time.monotonic() + 60
    while not (tmp_path / checkpoint.LAST).exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(random.Random(4).uniform(0, 0.5))
    workers = children(running.pid)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    running.stdout.close()
    assert workers
    assert checkpoint.read(tmp_path / checkpoint.LAST)["position"].total < 35
    train(tmp_path, tiny())  # at once: those that the killed one left do not keep the folder
    check_same(tmp_path, undisturbed)
    while any(map(alive, workers)):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.networks
def test_two_trainings_do_not_share_a_folder_and_a_signal_to_all_processes_leaves_a_checkpoint(tmp_path: Path) -> None:
    first = begin(tmp_path, "--pause", "0.1", "--workers", "1")
    deadline = time.monotonic() + 60
    while not (tmp_path / log.LOG).exists() or not log.lines_of(tmp_path):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    with pytest.raises(CannotTrain, match="another training runs in"), checkpoint.only_one(tmp_path):
        pass
    for process in (*children(first.pid), first.pid):  # as torchrun and systemd do
        os.kill(process, signal.SIGTERM)
    out, _ = first.communicate(timeout=60)
    assert first.returncode == 128 + signal.SIGTERM, out
    assert checkpoint.read(tmp_path / checkpoint.LAST)["position"].total >= 2
    with checkpoint.only_one(tmp_path):
        pass


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"recipe": tiny((phase("pose", learning_rate=1e-2),))}, "the recipe mpii with the fingerprint"),
        ({"settings": Settings(seed=1)}, "seed 0, and now seed 1"),
        ({"sources": {"mpii": NoData("other")}}, "data mpii made, and now data mpii other"),
        ({"started_from": "other.pt"}, "started from random weights, and now started from other.pt"),
    ],
)
def test_the_checkpoint_of_another_training_is_refused_and_kept(
    changes: dict[str, Any], said: str, undisturbed: Path
) -> None:
    before = (undisturbed / checkpoint.LAST).read_bytes()
    with pytest.raises(CannotTrain, match=said) as refused:
        train(undisturbed, **({"recipe": tiny()} | changes))
    assert "Take another --out, or --init" in str(refused.value)
    assert (undisturbed / checkpoint.LAST).read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"something else"])
def test_a_damaged_checkpoint_is_named_and_kept(content: bytes, tmp_path: Path) -> None:
    (tmp_path / checkpoint.LAST).write_bytes(content)
    with pytest.raises(CannotTrain, match=r"checkpoint.pt is damaged, or no checkpoint of a training"):
        train(tmp_path, tiny())
    assert (tmp_path / checkpoint.LAST).read_bytes() == content


def test_what_a_killed_process_left_half_written_is_removed(tmp_path: Path) -> None:
    half = tmp_path / f".{checkpoint.LAST}.12345"
    half.write_bytes(b"half")
    with checkpoint.only_one(tmp_path):
        assert not half.exists()
