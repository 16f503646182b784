"""Own actions are learned, held-out clips are held out, and a model is written whole or not at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from models.files.folder_swap import put_together
from models.files.folders import repository_folder
from models.lite.clip.network import ClipConfig, ClipNetwork, ServedClip
from models.own_actions import evaluation, exporting, report
from models.own_actions.base import card, clip_network
from models.own_actions.batches import STILL, OwnBatches, movement, source_of
from models.own_actions.labels import NONE, Labelled
from models.own_actions.problem import CannotTrain
from models.own_actions.training import Recipe, scores_of, train
from tests.models.own_actions.made_tracks import track

torch.set_num_threads(1)
ACTIONS = ("kick", "wave")
CLIPS_OF_EACH = 5


@pytest.fixture(scope="module")
def served() -> ServedClip:
    """Of two actions, of which each has a few clips, and of people who stand."""
    tracks = [track(action, seed) for action in (*ACTIONS, "stand") for seed in range(CLIPS_OF_EACH)]
    labels = [label for label in range(3) for _ in range(CLIPS_OF_EACH)]
    return train(clip_network(repository_folder()), source_of(tracks, labels), len(ACTIONS), Recipe(steps=40))


def test_a_few_clips_are_enough_for_others_of_the_same_actions(served: ServedClip) -> None:
    unseen = [track(action, 100 + seed) for action in (*ACTIONS, "stand") for seed in range(6)]
    scores = evaluation.scores_of_clips(served, unseen)
    truth = np.repeat([0, 1, 2], 6)
    figures = evaluation.Figures(ACTIONS, tuple(Labelled(Path("x"), "x") for _ in truth), truth, scores, "")
    assert figures.top1 >= 0.9, report.text(figures)
    assert scores.sum(1).max() <= 1 + 1e-5
    assert scores[truth == 2].sum(1).max() < 0.5


def test_the_same_seed_gives_the_same_network() -> None:
    tracks = [track(action, seed) for action in ACTIONS for seed in range(2)]
    base, source = clip_network(repository_folder()), source_of(tracks, [0, 0, 1, 1])
    before = {name: value.clone() for name, value in base.state_dict().items()}
    first, second = (train(base, source, 2, Recipe(steps=4)).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert all(torch.equal(base.state_dict()[name], before[name]) for name in before)


def test_mirrored_windows_are_drawn_unless_sides_matter() -> None:
    """A right arm that moves is a left one in half of the windows, or in none."""
    one_arm = track("wave", 1)
    one_arm.joints[:, [4, 6]] = one_arm.joints[:1, [4, 6]]  # the left one hangs
    source = source_of([one_arm, track("kick", 2)], [0, 1])
    sides = {}
    for mirror in (True, False):
        rng = np.random.default_rng(0)
        batches = OwnBatches(source, 2, mirror, 200, rng)
        batches.SIMULATED = 0.05
        features, boxes, labels = batches.draw()
        across = features[..., 0:32:2] * boxes[..., None, 2] + boxes[..., None, 0]  # (B, 16, 16)
        moved = across.std(1) / boxes[:, :1, 2].reshape(-1, 1)
        right, left = moved[labels == 0][:, 8], moved[labels == 0][:, 9]
        sides[mirror] = float((right > left).mean())
    assert 0.3 < sides[True] < 0.7
    assert sides[False] > 0.85


def test_where_an_action_is_a_held_pose_held_frames_are_no_counterexamples() -> None:
    assert movement(track("stand", 0)) < STILL < min(movement(track("wave", 0)), movement(track("kick", 0)))
    rng = np.random.default_rng(0)
    moving = OwnBatches(source_of([track("wave", 0), track("kick", 0)], [0, 1]), 2, True, 8, rng)
    holding = OwnBatches(source_of([track("wave", 0), track("stand", 0)], [0, 1]), 2, True, 8, rng)
    background = OwnBatches(source_of([track("wave", 0), track("stand", 0)], [0, 1]), 1, True, 8, rng)
    assert "held" in moving.made
    assert "held" not in holding.made
    assert "held" in background.made


def clips_of(counts: dict[str, int], split: str = "") -> list[Labelled]:
    return [
        Labelled(Path(f"{label}_{i}.mp4"), label, split=split, group=f"{label}_{i}")
        for label, count in counts.items()
        for i in range(count)
    ]


@pytest.mark.parametrize(
    ("counts", "folds"),
    [({"a": 2, "b": 2}, 2), ({"a": 2, "b": 9, NONE: 1}, 5), ({"a": 30, "b": 25, NONE: 3}, 1), ({"a": 4, NONE: 4}, 4)],
)
def test_each_clip_is_held_out_once_and_each_action_is_learned_each_time(counts: dict[str, int], folds: int) -> None:
    clips = clips_of(counts)
    plan = evaluation.plan(clips, seed=3)
    assert len(plan.folds) == folds
    assert plan.final.tolist() == [*range(len(clips))]
    for learned, tested in plan.folds:
        assert sorted([*learned, *tested]) == [*range(len(clips))]
        assert {clips[i].label for i in learned} >= counts.keys() - {NONE}
    if folds > 1:
        assert sorted(np.concatenate([tested for _, tested in plan.folds])) == [*range(len(clips))]


def test_a_group_is_on_one_side() -> None:
    clips = [Labelled(Path(f"{i}.mp4"), "ab"[i % 2], group=f"person {i // 4}") for i in range(24)]
    for learned, tested in evaluation.plan(clips, seed=0).folds:
        assert not {clips[i].group for i in learned} & {clips[i].group for i in tested}


def test_the_split_of_the_labels_is_kept() -> None:
    clips = clips_of({"a": 3, "b": 3}, "train") + clips_of({"a": 1}, "test")
    plan = evaluation.plan(clips, seed=0)
    assert [(learned.tolist(), tested.tolist()) for learned, tested in plan.folds] == [([*range(6)], [6])]
    assert plan.final.tolist() == [*range(6)]


@pytest.mark.parametrize(
    ("clips", "told"),
    [
        (clips_of({"a": 1, "b": 5}), "all clips of 'a' are of one video or group: at least two"),
        (clips_of({"a": 2}, "train") + clips_of({"b": 2}, "test"), "no clip of 'b' is in the split train"),
        (clips_of({"a": 2, "b": 2}, "train"), "no clip is in the split test"),
    ],
)
def test_what_cannot_be_held_out_is_told(clips: list[Labelled], told: str) -> None:
    with pytest.raises(CannotTrain, match=told):
        evaluation.plan(clips, seed=0)


def test_intervals_are_wilsons() -> None:
    """Figures of Newcombe (1998), table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    for right, count, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (1, 29, 0.0061, 0.1718)):
        assert evaluation.wilson(right, count) == pytest.approx((low, high), abs=5e-5)
    assert evaluation.wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_the_report_says_what_was_taken_for_what(tmp_path: Path) -> None:
    clips = tuple(clips_of({"wave $1$ 挥手": 2, "kick": 1, NONE: 1}))
    scores = np.array([[0.1, 0.8], [0.6, 0.3], [0.9, 0.1], [0.2, 0.1]], np.float32)
    figures = evaluation.Figures(("kick", "wave $1$ 挥手"), clips, np.array([1, 1, 0, 2]), scores, "each in turn")
    report.write(figures, {"model": "x"}, tmp_path / "report")
    said = (tmp_path / "report" / "report.txt").read_text()
    assert "3 of 4 held-out clips are named right: 75.0%" in said
    assert said.splitlines()[4].split() == ["wave", "$1$", "挥手", "1", "1", "."]
    record = json.loads((tmp_path / "report" / "report.json").read_text())
    assert record["confusion"] == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    assert (tmp_path / "report" / "confusion.png").stat().st_size > 5000
    predicted = (tmp_path / "report" / "predictions.csv").read_text().splitlines()[2]
    assert predicted.startswith("wave $1$ 挥手_1.mp4,wave $1$ 挥手,kick,0.6")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    for network in ("lite_frame", "lite_clip", "person"):
        (folder / network).symlink_to(repository_folder() / network)
    return folder


def test_a_written_model_has_its_card_and_computes_what_was_trained(repository: Path) -> None:
    small = ClipConfig(per_joint=4, width=16, blocks=1)
    served = ServedClip(ClipNetwork(small, len(ACTIONS) + 1).eval(), background_bias=0.0, flip=True).eval()
    words = {"description": "moves", "licence": "CC0", "weights": "made"}
    clip, frame = exporting.write(served, "moves", ACTIONS, repository, words)
    config = text_format.Parse((frame / "config.pbtxt").read_text(), ModelConfig())
    found = json.loads(config.parameters["card"].string_value)
    sha256 = hashlib.sha256((clip / "1" / "model.onnx").read_bytes()).hexdigest()  # the frame network is lite's
    changed = {"model": "moves", "clip": {**found["clip"], "labels": [*ACTIONS]}, "weights_sha256": sha256}
    assert found == card(repository) | words | changed
    features, boxes = track("kick", 50).features(track("kick", 50).windows())
    session = onnxruntime.InferenceSession(str(clip / "1" / "model.onnx"), providers=["CPUExecutionProvider"])
    (scores,) = session.run(["action_scores"], {"action_features": features, "crop_boxes": boxes})
    np.testing.assert_allclose(scores, scores_of(served, features, boxes), atol=5e-3)
    assert sorted(path.name for path in repository.iterdir()) == [
        *("lite_clip", "lite_frame", "moves_clip", "moves_frame", "person")
    ]


def test_a_failed_replacement_leaves_the_old_model(tmp_path: Path) -> None:
    """Both networks are replaced, or none: here the second has no new folder."""
    repository, new = tmp_path / "repository", tmp_path / "new"
    for folder in (repository / "moves_clip", repository / "moves_frame", new / "moves_clip"):
        folder.mkdir(parents=True)
        (folder / "content").write_text(folder.parent.name)
    with pytest.raises(FileNotFoundError):
        put_together(("moves_clip", "moves_frame"), new, repository)
    assert [(repository / f"moves_{part}" / "content").read_text() for part in exporting.PARTS] == ["repository"] * 2
    (new / "moves_frame").mkdir()
    put_together(("moves_clip", "moves_frame"), new, repository)
    assert (repository / "moves_clip" / "content").read_text() == "new"
    assert not (repository / "moves_frame" / "content").exists()


@pytest.mark.parametrize(
    ("name", "told"), [("a/b", "cannot be named"), ("lite", "choose another --name"), ("taken", "or give --replace")]
)
def test_a_name_that_cannot_be_taken_is_told(repository: Path, name: str, told: str) -> None:
    (repository / "taken_clip").mkdir()
    with pytest.raises(CannotTrain, match=told):
        exporting.may_be_called(name, repository, replace=False)
    exporting.may_be_called("taken", repository, replace=True)
