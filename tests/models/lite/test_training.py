from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from models.lite import layout
from models.lite.clip import data as clip_data
from models.lite.clip import train as train_clip
from models.lite.frame import data as pose_data
from models.lite.frame import error_bank, labels, network
from models.lite.frame import train as train_frame
from models.lite.frame.augmentation import Augmentation
from models.lite.frame.labels import TrainingSet
from models.lite.frame.plain_crops import predict
from models.lite.layout import LIMBS
from models.lite.movenet import taught
from models.lite.movenet.network import HEADS, LIGHTNING, MoveNet
from models.lite.movenet.taught import Taught
from tests.models.lite.test_clip_data import some_bank, some_clips, some_movements


def some_people(count: int) -> pose_data.People:
    rng = np.random.default_rng(5)
    images = [rng.integers(0, 255, (150, 120, 3), dtype=np.uint8) for _ in range(count)]
    return pose_data.People(
        images, rng.uniform(10, 110, (count, 16, 2)).astype(np.float32), rng.random((count, 16)) > 0.1
    )


def nothing_taught(count: int) -> Taught:
    cells = np.tile(np.array([[0.4, 0, 0], [0, 0.4, 0]], np.float32), (count, 1, 1))
    return Taught(
        np.zeros((count, 12, 2), np.float32),
        np.zeros((count, 12), np.float32),
        np.zeros((count, 12, 64, 64), np.uint8),
        cells,
    )


def as_set(people: pose_data.People) -> TrainingSet:
    count = len(people.images)
    none = np.zeros((count, 16), bool)
    return TrainingSet(people, 1, none, ~people.valid)


def test_augmented_joints_stay_on_what_they_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    """A white dot under each joint is still under it after rotation, scaling, mirroring and recolouring."""
    joints = np.array([[40 + 12 * (i % 4), 30 + 25 * (i // 4)] for i in range(16)], np.float32)
    image = np.zeros((160, 120, 3), np.uint8)
    for x, y in joints.astype(int):
        image[y - 2 : y + 3, x - 2 : x + 3] = 255
    augmentation = Augmentation(128, np.random.default_rng(1), [np.zeros((50, 50, 3), np.uint8)])
    for change in ("occlude", "from_afar", "camera"):
        monkeypatch.setattr(augmentation, change, lambda crop: crop)
    some = as_set(pose_data.People([image], joints[None], np.ones((1, 16), bool)))
    checked = 0
    for _ in range(40):
        sample = augmentation.person(some, 0)
        brightness = sample.image.max(axis=2)
        for (x, y), valid in zip(sample.joints * 128, sample.valid, strict=True):
            if valid and 2 < x < 125 and 2 < y < 125:
                assert brightness[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2].max() > brightness.mean() + 20
                checked += 1
    assert checked > 300


def test_mirroring_swaps_left_and_right() -> None:
    flip = layout.FLIP
    assert np.array_equal(flip[flip], np.arange(16))
    assert flip[[*layout.SHOULDERS, *layout.HIPS]].tolist() == [*layout.SHOULDERS[::-1], *layout.HIPS[::-1]]


def test_a_teachers_maps_stay_on_its_joints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each map's peak is under the joint that it is of, after rotation, scaling, shift, cut and mirroring."""
    people = some_people(1)
    people.valid[:] = True
    teachers = nothing_taught(1)
    for limb, (x, y) in enumerate(people.joints[0, LIMBS] @ teachers.to_cells[0, :, :2].T):
        teachers.maps[0, limb, int(y), int(x)] = 255
    by_teacher = np.zeros((1, 16), bool)
    by_teacher[:, LIMBS] = True
    boxes = np.array([[0, 0, 120, 150]], np.float32)
    some = TrainingSet(people, 1, by_teacher, ~people.valid, teachers, boxes)
    augmentation = Augmentation(192, np.random.default_rng(1), [np.zeros((50, 50, 3), np.uint8)])
    checked = 0
    for _ in range(40):
        sample = augmentation.person(some, 0)
        for joint in LIMBS[sample.valid[LIMBS] & (sample.maps[LIMBS].max((1, 2)) > 60)]:
            row, column = divmod(int(sample.maps[joint].argmax()), 48)
            assert np.abs(sample.joints[joint] * 48 - [column + 0.5, row + 0.5]).max() < 2
            checked += 1
    assert checked > 100


def test_people_held_out_are_not_trained_on(shared_data: Path) -> None:
    held_out = pose_data.load_held_out(shared_data)
    assert len(held_out.images) == 200
    kept = {image.tobytes() for image in held_out.images}
    assert not kept & {image.tobytes() for image in pose_data.load_careful(shared_data).images}
    crowd = pose_data.load_crowd(shared_data)
    assert not kept & {image.tobytes() for image in crowd.images}


class BrightestPlace(torch.nn.Module):
    """Finds every joint where the picture is bright."""

    def __init__(self) -> None:
        super().__init__()
        self.anything = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> network.Prediction:
        brightness = torch.nn.functional.avg_pool2d(x.mean(1, keepdim=True) + 1, 4).repeat(1, 16, 1, 1)
        maps, keypoints = network.soft_argmax(50 * brightness)
        return network.Prediction(keypoints, maps, keypoints, torch.zeros(len(x), 16))


@pytest.mark.parametrize("jitter", [None, np.random.default_rng(2)])
def test_what_is_found_in_a_crop_is_told_in_pixels_of_the_picture(jitter: np.random.Generator | None) -> None:
    rng = np.random.default_rng(1)
    people = some_people(20)
    places = rng.integers(40, 80, (20, 2))
    for image, (x, y) in zip(people.images, places, strict=True):
        image[:] = 0
        image[y - 2 : y + 3, x - 2 : x + 3] = 255
    keypoints, logits = predict(BrightestPlace(), people, 160, jitter=jitter)
    assert np.abs(keypoints - places[:, None]).max() < 2.5
    assert logits.shape == (20, 16)


def test_a_crowds_labels_are_mended_where_the_teacher_is_sure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Joint 4 is labelled far away, 5 not at all, 6 far away with a teacher in doubt, 7 with one that saw nothing."""
    people = some_people(2)
    people.valid[:] = True
    teachers = nothing_taught(2)
    teachers.joints_px[:] = people.joints[:, LIMBS]
    teachers.scores[:] = 0.9
    seen = people.joints.copy()
    people.joints[:, [4, 6, 7]] += 500
    people.valid[:, 5] = False
    teachers.scores[:, 6 - LIMBS[0]], teachers.scores[:, 7 - LIMBS[0]] = 0.4, 0.1
    monkeypatch.setattr(labels, "load_crowd", lambda data: people)
    monkeypatch.setattr(labels, "load", lambda out, name: teachers)
    mended = labels.crowd(tmp_path, tmp_path)
    assert np.array_equal(mended.people.joints[:, [4, 5]], seen[:, [4, 5]])
    assert np.array_equal(mended.people.joints[:, 7], people.joints[:, 7])
    assert mended.people.valid[:, 4:].sum(1).tolist() == [11, 11]
    assert not mended.people.valid[:, 6].any()
    assert mended.unknown[:, 6].all()
    assert np.flatnonzero(mended.by_teacher[0]).tolist() == [4, 5]


def test_what_the_teacher_says_is_kept_in_files(tmp_path: Path) -> None:
    taught.save(nothing_taught(3), tmp_path, "some")
    assert [len(rows) for rows in vars(taught.load(tmp_path, "some")).values()] == [3, 3, 3, 3]
    with pytest.raises(FileNotFoundError, match=r"movenet\.teacher"):
        taught.load(tmp_path, "others")


def test_training_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "load_training", lambda data, out: [as_set(some_people(60))])
    monkeypatch.setattr(pose_data, "load_held_out", lambda data: some_people(4))
    monkeypatch.setattr(pose_data, "load_without_people", lambda data: some_people(3).images)
    monkeypatch.setattr(train_frame, "lightning", lambda folder: MoveNet(LIGHTNING, HEADS))
    monkeypatch.setattr(train_frame, "BATCH", 4)
    for passes in (1, 2):
        train_frame.train(tmp_path, tmp_path, 1, ((96, 1), (128, 1))[:passes], steps=2)
    log = [json.loads(line) for line in (tmp_path / "frame_log.jsonl").read_text().splitlines()]
    assert [(line["pass"], line["size"]) for line in log] == [(1, 96), (2, 128)]
    state = torch.load(tmp_path / "frame_checkpoint.pt", weights_only=True)
    assert state["passes"] == 2
    assert all(torch.isfinite(v).all() for v in state["average"].values())


def test_training_of_the_clip_network_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip_data, "load_clips", lambda data, train: some_clips())
    monkeypatch.setattr(train_clip, "load_movements", lambda data, held_out: some_movements())
    error_bank.save(some_bank(0.1), tmp_path / error_bank.BANK)
    train_clip.train(tmp_path, tmp_path, 1, 1, steps=2)
    train_clip.train(tmp_path, tmp_path, 1, 3, steps=2)
    log = [json.loads(line) for line in (tmp_path / "clip_log.jsonl").read_text().splitlines()]
    assert [line["pass"] for line in log] == [1, 2, 3]
    state = torch.load(tmp_path / "clip_checkpoint.pt", weights_only=True)
    assert state["passes"] == 3
    assert all(torch.isfinite(v).all() for v in state["average"].values())


def test_the_learning_rate_rises_stays_and_falls() -> None:
    rates = [train_clip.learning_rate(step, 4000, 1.0) for step in (0, 199, 2000, 3200, 3999)]
    assert rates == pytest.approx([0.005, 1.0, 1.0, 0.5, 0.01])
