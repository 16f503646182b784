from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from models.lite import layout
from models.lite.clip import data as clip_data
from models.lite.clip import train as train_clip
from models.lite.frame import clean_labels, error_bank, network
from models.lite.frame import data as pose_data
from models.lite.frame import train as train_frame
from models.lite.frame.plain_crops import predict
from tests.models.lite.test_clip_data import some_bank, some_clips, some_movements


def some_people(count: int) -> pose_data.People:
    rng = np.random.default_rng(5)
    images = [rng.integers(0, 255, (150, 120, 3), dtype=np.uint8) for _ in range(count)]
    return pose_data.People(
        images, rng.uniform(10, 110, (count, 16, 2)).astype(np.float32), rng.random((count, 16)) > 0.1
    )


def test_augmented_joints_stay_on_what_they_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    """A white dot under each joint is still under it after rotation, scaling, mirroring and recolouring."""
    joints = np.array([[40 + 12 * (i % 4), 30 + 25 * (i // 4)] for i in range(16)], np.float32)
    image = np.zeros((160, 120, 3), np.uint8)
    for x, y in joints.astype(int):
        image[y - 2 : y + 3, x - 2 : x + 3] = 255
    augmentation = pose_data.Augmentation(128, np.random.default_rng(1), [np.zeros((50, 50, 3), np.uint8)])
    monkeypatch.setattr(augmentation, "occlude", lambda crop: crop)
    checked = 0
    for _ in range(40):
        sample = augmentation.person(image, joints, np.ones(16, bool))
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


def test_people_held_out_are_not_trained_on(shared_data: Path) -> None:
    held_out = pose_data.load_held_out(shared_data)
    assert len(held_out.images) == 200
    kept = {image.tobytes() for image in held_out.images}
    for some in pose_data.load_training(shared_data):
        assert not kept & {image.tobytes() for image in some.people.images}


class BrightestPlace(torch.nn.Module):
    """Finds every joint where the picture is bright."""

    def __init__(self) -> None:
        super().__init__()
        self.anything = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> list[network.Prediction]:
        brightness = torch.nn.functional.avg_pool2d(x.mean(1, keepdim=True) + 1, 4).repeat(1, 16, 1, 1)
        maps, keypoints = network.soft_argmax(50 * brightness)
        return [network.Prediction(maps, keypoints, torch.zeros(len(x), 16))]


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


def test_labels_are_mended_where_the_network_is_sure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Joint 4 is labelled far away, 5 not at all, 6 far away but the network is unsure; all others agree."""
    people = some_people(2)
    people.valid[:] = True
    seen, logits = people.joints.copy(), np.full((2, 16), 4.0, np.float32)
    people.joints[:, [4, 6]] += 500
    people.valid[:, 5] = False
    logits[:, 6] = -1
    monkeypatch.setattr(clean_labels, "predict", lambda *_, **__: (seen, logits))
    mended = clean_labels.clean(network.FrameNetwork(), people, 128)
    assert np.array_equal(np.delete(mended.joints, 6, 1), np.delete(seen, 6, 1))
    assert np.array_equal(mended.joints[:, 6], people.joints[:, 6])
    assert mended.valid.all()


def test_training_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pose_data, "load_training", lambda data: [pose_data.TrainingSet(some_people(60), 1)])
    monkeypatch.setattr(pose_data, "load_held_out", lambda data: some_people(4))
    monkeypatch.setattr(pose_data, "load_without_people", lambda data: some_people(3).images)
    teacher = train_frame.Round("teacher", ((64, 1),), 1e-3)
    for passes in (1, 2):
        frame = train_frame.Round("frame", ((96, passes),), 1e-3)
        train_frame.train(tmp_path, tmp_path, 1, (teacher, frame))
    log = [json.loads(line) for line in (tmp_path / "frame_log.jsonl").read_text().splitlines()]
    assert [(line["pass"], line["size"]) for line in log] == [(1, 64), (1, 96), (2, 96)]
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
