from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.export import onnx_file
from models.lite.movenet import taught
from models.lite.movenet.network import HEADS, LIGHTNING, MoveNet
from models.lite.person import augmentation as person_augmentation
from models.lite.person import data as person_data
from models.lite.person import evaluate as evaluate_person
from models.lite.person import train as train_person
from models.lite.person.data import BoxedPictures, Boxes
from models.lite.person.evaluate import average_precision, recall, threshold_at
from models.lite.person.network import (
    MAX_DETECTIONS,
    Maps,
    PersonNetwork,
    ServedPerson,
    corners_of,
    detect,
)
from models.lite.person.targets import STRIDE, encode
from service.vision.boxes import iou

SIZE = 128


def boxes(*rows: tuple[float, float, float, float]) -> Boxes:
    return np.array(rows, np.float32).reshape(-1, 4)


def scores(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


HERE, THERE, ELSEWHERE = (10, 10, 20, 40), (50, 10, 20, 40), (90, 60, 20, 40)


def test_average_precision_of_hand_made_cases() -> None:
    truth = [boxes(HERE, THERE)]
    assert average_precision([(boxes(HERE, THERE), scores(0.9, 0.8))], truth) == 1.0
    assert average_precision([(boxes(HERE), scores(0.9))], truth) == 0.5
    assert average_precision([(boxes(), scores())], truth) == 0.0
    # A wrong box before the second right one: precision is 1 up to half of the people, then 2/3.
    found = [(boxes(HERE, ELSEWHERE, THERE), scores(0.9, 0.8, 0.7))]
    assert average_precision(found, truth) == pytest.approx(0.5 + 0.5 * 2 / 3)
    # A second box on the same person is wrong.
    assert average_precision([(boxes(HERE, HERE), scores(0.9, 0.8))], truth) == 0.5
    # Wrong in a picture without people, and surer than what is right.
    alone = [(boxes(HERE), scores(0.9)), (boxes(HERE), scores(0.5))]
    assert average_precision(alone, [boxes(), boxes(HERE)]) == 0.5


def test_tall_people_are_counted_at_one_false_box_a_picture() -> None:
    truth = [boxes(HERE, THERE)]
    found = [(boxes(HERE, ELSEWHERE, (0, 80, 9, 9), THERE), scores(0.9, 0.8, 0.7, 0.6))]
    threshold = threshold_at(found, truth)
    assert 0.7 < threshold <= 0.8
    kept = evaluate_person.above(found, threshold)
    assert recall(kept, truth) == 0.5
    assert recall(kept, truth, [np.array([True, False])]) == 1.0


@given(st.permutations(range(4)))
def test_average_precision_does_not_depend_on_the_order_of_boxes(order: list[int]) -> None:
    found, sure = boxes(HERE, ELSEWHERE, (12, 11, 20, 40), THERE), scores(0.9, 0.8, 0.7, 0.6)
    truth = [boxes(THERE, HERE)]
    index = np.array(order)
    assert average_precision([(found[index], sure[index])], truth) == average_precision([(found, sure)], truth)


people = st.tuples(st.floats(0, 100), st.floats(0, 100), st.floats(5, 100), st.floats(5, 120)).map(
    lambda b: (b[0], b[1], min(b[2], SIZE - b[0]), min(b[3], SIZE - b[1]))
)


def everywhere(box: tuple[float, float, float, float]) -> torch.Tensor:
    """Distances (1, 4, G, G) of a network that says the same box in each cell."""
    x, y, width, height = (value / STRIDE for value in box)
    centres = torch.arange(SIZE // STRIDE) + 0.5
    across, down = centres.expand(len(centres), -1), centres[:, None].expand(-1, len(centres))
    return torch.stack([across - x, down - y, x + width - across, y + height - down])[None]


@given(people)
def test_a_persons_targets_are_the_persons_box(box: tuple[float, float, float, float]) -> None:
    targets = encode(boxes(box), SIZE)
    assert (targets.heat == 1.0).sum() == 1
    assert targets.weight.sum() == pytest.approx(1.0, abs=1e-4)
    corners = corners_of(Maps(torch.zeros(0), Maps.logs_of(torch.from_numpy(targets.sides)[None])).sides())
    x, y, width, height = box
    regressed = corners[0].flatten(1).T.numpy()[targets.weight.ravel() > 0] * SIZE
    assert regressed == pytest.approx(np.tile([x, y, x + width, y + height], (len(regressed), 1)), abs=0.02)


@given(people)
def test_a_box_is_what_the_cells_around_its_peak_agree_on(box: tuple[float, float, float, float]) -> None:
    heat = torch.logit(torch.from_numpy(encode(boxes(box), SIZE).heat)[None], eps=1e-4)
    decoded, score = detect(Maps(heat, Maps.logs_of(everywhere(box))), torch.tensor([1.0, 0.0]), torch.ones(()))
    assert float(score[0, 0]) > 0.99
    assert iou(decoded[0, :1].numpy() * SIZE, boxes(box))[0, 0] > 0.9


def test_what_bf16_keeps_of_a_logarithm_is_enough_for_a_box() -> None:
    box = (20, 9, 60, 115)
    logs = Maps.logs_of(everywhere(box)).bfloat16().float()
    heat = torch.logit(torch.from_numpy(encode(boxes(box), SIZE).heat)[None], eps=1e-4)
    decoded = detect(Maps(heat, logs), torch.tensor([1.0, 0.0]), torch.ones(()))[0][0, :1].numpy() * SIZE
    assert iou(decoded, boxes(box))[0, 0] > 0.98


def test_served_boxes_are_sorted_and_within_the_picture() -> None:
    torch.manual_seed(1)
    network = PersonNetwork()
    torch.nn.init.normal_(network.to_sides[1].weight, std=2.0)
    image = torch.randint(0, 256, (2, SIZE, SIZE, 3), dtype=torch.uint8)
    with torch.no_grad():
        found, sure = ServedPerson(network).eval()(image)
    assert found.shape == (2, MAX_DETECTIONS, 4)
    assert sure.shape == (2, MAX_DETECTIONS)
    assert (sure[:, 1:] <= sure[:, :-1]).all()
    assert ((sure >= 0) & (sure <= 1)).all()
    assert ((found >= 0) & (found <= 1)).all()
    assert (found[..., :2] + found[..., 2:] <= 1 + 1e-6).all()


def test_it_starts_from_movenet() -> None:
    network, published = PersonNetwork(), MoveNet(LIGHTNING, HEADS)
    network.start_from(published)
    picture = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(network(picture).heat_logits, published(picture)["center"][:, 0], atol=1e-5)


def test_augmented_boxes_stay_on_what_they_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    """A white person on a dark picture fills its box after scaling, cropping, mirroring and recolouring."""
    image = np.full((160, 120, 3), 20, np.uint8)
    image[30:130, 40:80] = 255
    pictures = BoxedPictures([image], [boxes((40, 30, 40, 100))])
    draws = [(1.0, person_augmentation.boxed(pictures))]
    dark = [np.zeros((50, 50, 3), np.uint8)]
    augmentation = person_augmentation.PersonAugmentation(SIZE, np.random.default_rng(2), draws, dark)
    monkeypatch.setattr(augmentation, "background", lambda: np.zeros((SIZE, SIZE, 3), np.uint8))
    monkeypatch.setattr(augmentation.appearance, "camera", lambda picture: picture)
    checked = 0
    for _ in range(60):
        sample = augmentation.sample()
        bright = sample.image.max(axis=2) > 100
        inside = np.zeros((SIZE, SIZE), bool)
        for x, y, width, height in sample.boxes_px:
            assert sample.empty_weight[int((y + height / 2) // STRIDE), int((x + width / 2) // STRIDE)] == 1.0
            if width > 10 and height > 10:
                assert bright[int(y) + 2 : int(y + height) - 2, int(x) + 2 : int(x + width) - 2].mean() > 0.9
                checked += 1
            inside[int(y) : int(y + height) + 2, int(x) : int(x + width) + 2] = True
        # What is bright without a box is too little of a person to count, and is not taught to be empty.
        weight = np.kron(sample.empty_weight, np.ones((STRIDE, STRIDE)))
        assert (bright & ~inside & (weight > 0)).mean() < 0.02
    assert checked > 40


def some_pictures(count: int) -> BoxedPictures:
    rng = np.random.default_rng(5)
    images = [rng.integers(0, 255, (150, 120, 3), dtype=np.uint8) for _ in range(count)]
    return BoxedPictures(images, [boxes((20, 15, 50, 100)) for _ in images])


def test_training_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = some_pictures(6)
    sources = train_person.Sources([(1.0, person_augmentation.boxed(pictures))], pictures.images, some_pictures(2))
    monkeypatch.setattr(train_person, "load_sources", lambda data, out: sources)
    monkeypatch.setattr(train_person, "lightning", lambda folder: MoveNet(LIGHTNING, HEADS))
    monkeypatch.setattr(train_person, "BATCH", 4)
    train_person.train(tmp_path, tmp_path, 1, ((64, 1),), steps=2)
    train_person.train(tmp_path, tmp_path, 1, ((64, 1), (128, 1)), steps=2)
    log = [json.loads(line) for line in (tmp_path / "person_log.jsonl").read_text().splitlines()]
    assert [(line["pass"], line["size"]) for line in log] == [(1, 64), (2, 128)]
    state = torch.load(tmp_path / "person_checkpoint.pt", weights_only=True)
    assert state["passes"] == 2
    assert all(torch.isfinite(value).all() for value in state["average"].values())


def test_the_graph_finds_what_torch_finds(tmp_path: Path) -> None:
    torch.manual_seed(3)
    network = PersonNetwork()
    torch.nn.init.normal_(network.to_heat[1].weight, std=60.0)  # distinct scores: equal ones have no order
    file = tmp_path / "model.onnx"
    onnx_file.export(
        ServedPerson(network).eval(),
        lambda batch: (torch.randint(0, 256, (batch, SIZE, SIZE, 3), dtype=torch.uint8),),
        ("image",),
        ("boxes", "box_scores"),
        file,
        half=False,
    )
    assert file.stat().st_size < 10e6


def test_validation_pictures_are_kept_apart(shared_data: Path) -> None:
    validation = person_data.load_validation(shared_data)
    assert len(validation.images) == 140
    assert sum(len(b) for b in validation.boxes_px) == 250
    apart = {image.tobytes() for image in validation.images}
    for pictures in (*person_data.load_training(shared_data), person_data.load(shared_data, tier=1, split=0)):
        assert not apart & {image.tobytes() for image in pictures.images}


def test_where_a_teacher_is_unsure_nothing_is_taught_to_be_empty() -> None:
    """A teacher's sure box becomes a person, its doubtful one a place without a lesson."""
    image = np.full((SIZE, SIZE, 3), 90, np.uint8)
    unsure = boxes((64, 64, 32, 32))
    pictures = BoxedPictures([image], [boxes((8, 8, 16, 40))], unsure_px=[unsure])
    picture = person_augmentation.boxed(pictures)(np.random.default_rng(1))
    canvas = person_augmentation.Canvas(np.zeros((SIZE, SIZE, 3), np.uint8))
    canvas.paste(picture, (0, 0), image, (0, 0, SIZE, SIZE))
    sample = canvas.sample()
    assert len(sample.boxes_px) == 1
    cells = slice(64 // STRIDE, 96 // STRIDE)
    assert (sample.empty_weight[cells, cells] == 0).all()
    assert sample.empty_weight.sum() == (SIZE // STRIDE) ** 2 - (32 // STRIDE) ** 2


def test_a_teachers_boxes_are_kept_in_a_file(tmp_path: Path) -> None:
    found = [boxes(HERE, THERE), boxes(), boxes(ELSEWHERE)]
    taught.save_boxes(found, [scores(0.9, 0.2), scores(), scores(0.5)], tmp_path)
    again = taught.load_boxes(tmp_path)
    assert [rows.tolist() for rows, _ in again] == [rows.tolist() for rows in found]
    assert [sure.tolist() for _, sure in again] == [pytest.approx([0.9, 0.2]), [], [0.5]]
