"""Trains the person detector of `lite`, from MoveNet lightning's weights.

    python -m models.lite.person.train --data ../shared/data --out build/lite

Resumes from its checkpoint; one JSON line a pass in `person_log.jsonl`. The figures in the log are of held-out training
pictures; the validation pictures are for `evaluate` and choose nothing here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from models.deephar.pixels import to_network_range
from models.lite import platt
from models.lite.frame import data as pose_data
from models.lite.frame import labels
from models.lite.movenet.published import lightning
from models.lite.person import data as person_data
from models.lite.person import evaluate as evaluate_person
from models.lite.person.augmentation import PersonAugmentation, Source, boxed, with_joints, without_people
from models.lite.person.network import (
    NMS_IOU,
    PERSON_SIZE,
    UNCALIBRATED,
    Maps,
    PersonNetwork,
    ServedPerson,
)
from models.lite.person.targets import encode
from models.lite.training import WARM_UP_STEPS, Training, best_device, command_line, cosine
from service.networks.score_rule import logit

BATCH = 24
STEPS_PER_PASS = 100
AGAIN, AGAIN_SHARE = 8, 0.25  # passes of a second cosine, and its share of the learning rate
SCHEDULE = ((192, 6), (256, 12 + AGAIN))  # side of the pictures in pixels, passes
LEARNING_RATE, TRUNK_SHARE = 8e-4, 0.25
WEIGHT_DECAY = 0.02
OVERLAP_WEIGHT, LOG_SIDES_WEIGHT = 3.0, 0.5


@dataclass(frozen=True)
class Sources:
    draws: list[tuple[float, Source]]  # share of the drawn pictures, source
    empty: list[person_data.Picture]
    held_out: person_data.BoxedPictures


def load_sources(data: Path, out: Path) -> Sources:
    complete, held_out = person_data.load_training(data)
    empty = pose_data.load_without_people(data)
    draws = [(0.42, boxed(complete)), (0.35, boxed(person_data.load_taught(data, out))), (0.12, without_people(empty))]
    for share, some in ((0.04, labels.careful(data)), (0.07, labels.crowd(data, out))):
        draws.append((share, with_joints(person_data.with_most_joints(some.people))))
    return Sources(draws, empty, held_out)


class PersonBatches(torch.utils.data.IterableDataset):
    """One pass: batches of augmented pictures with their targets."""

    def __init__(self, size: int, epoch: int, seed: int, sources: Sources, steps: int) -> None:
        self.size, self.epoch, self.seed, self.sources, self.steps = size, epoch, seed, sources, steps

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        cv2.setNumThreads(0)
        rng = np.random.default_rng([self.seed, self.epoch])
        augmentation = PersonAugmentation(self.size, rng, self.sources.draws, self.sources.empty)
        for _ in range(self.steps):
            samples = [augmentation.sample() for _ in range(BATCH)]
            targets = [encode(sample.boxes_px, self.size) for sample in samples]
            yield {
                "image": torch.from_numpy(np.stack([s.image for s in samples])),
                "empty_weight": torch.from_numpy(np.stack([s.empty_weight for s in samples])),
                "heat": torch.from_numpy(np.stack([t.heat for t in targets])),
                "sides": torch.from_numpy(np.stack([t.sides for t in targets])),
                "weight": torch.from_numpy(np.stack([t.weight for t in targets])),
            }


def overlaps(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and GIoU (Rezatofighi et al., CVPR 2019), (B, G, G), of boxes given as sides (B, 4, G, G) of their cells."""
    least, most = torch.minimum(a, b), torch.maximum(a, b)

    def area(sides: Tensor) -> Tensor:
        width, height = sides[:, 0] + sides[:, 2], sides[:, 1] + sides[:, 3]
        return width.clamp(min=0) * height.clamp(min=0)

    shared, hull = area(least), area(most).clamp(min=1e-6)
    union = (area(a) + area(b) - shared).clamp(min=1e-6)
    iou = shared / union
    return iou, iou - (hull - union) / hull


def loss_of(maps: Maps, batch: dict[str, Tensor]) -> Tensor:
    """Focal loss of the heat map, GIoU and L1 of the logarithms of the sides: for each person of the batch."""
    heat, weight, sides = batch["heat"], batch["weight"], batch["sides"]
    centre = heat == 1.0
    people = centre.sum().clamp(min=1)
    predicted = maps.sides()
    iou, generalized = overlaps(predicted, sides)
    # A person's score is to be the IoU of the person's box (generalized focal loss, Li et al., NeurIPS 2020).
    score, right = torch.sigmoid(maps.heat_logits), iou.detach()
    log_score, log_rest = nn.functional.logsigmoid(maps.heat_logits), nn.functional.logsigmoid(-maps.heat_logits)
    at_centres = -((right - score) ** 2 * (right * log_score + (1 - right) * log_rest))[centre].sum()
    # CenterNet's: cells near a centre weigh less as negatives.
    elsewhere = -((1 - heat) ** 4 * score**2 * log_rest * batch["empty_weight"] * ~centre).sum()
    overlap = ((1 - generalized) * weight).sum()
    logs = Maps.logs_of(sides)
    log_sides = ((maps.log_sides - logs).abs().mean(1) * weight).sum()
    return (at_centres + elsewhere + OVERLAP_WEIGHT * overlap + LOG_SIDES_WEIGHT * log_sides) / people


def as_detector(network: PersonNetwork) -> evaluate_person.Detect:
    """The network, after NMS, as `evaluate` measures it."""
    served = ServedPerson(network).eval()
    device = next(network.parameters()).device

    @torch.no_grad()
    def run(image: person_data.Picture) -> list[np.ndarray]:
        return [output.cpu().numpy() for output in served(torch.from_numpy(image).to(device))]

    return evaluate_person.detector(run, PERSON_SIZE, NMS_IOU)


def width_scale(detections: list[evaluate_person.Detections], boxes_px: list[np.ndarray]) -> float:
    """Returns the mean factor from the width of right boxes to that of their people, by score."""
    logs, weights = [0.0], [1e-6]
    matches = evaluate_person.matches(detections, boxes_px)
    for (boxes, scores), people, matched in zip(detections, boxes_px, matches, strict=True):
        for box, score, person in zip(boxes, scores, matched, strict=True):
            if person >= 0:
                logs.append(np.log(people[person, 2] / box[2]))
                weights.append(float(score))
    return float(np.exp(np.average(logs, weights=weights)))


def calibrate(network: PersonNetwork, pictures: person_data.BoxedPictures) -> None:
    """Fits the boxes' width to people's, and the served score to the share of boxes that are right (Platt scaling)."""
    network.calibration.copy_(torch.tensor(UNCALIBRATED))
    network.width_scale.fill_(1.0)
    detect = as_detector(network)
    detections = [detect(image) for image in pictures.images]
    network.width_scale.fill_(width_scale(detections, pictures.boxes_px))
    detections = [detect(image) for image in pictures.images]
    right = np.concatenate(evaluate_person.matches(detections, pictures.boxes_px)) >= 0
    scores = np.concatenate([scores for _, scores in detections]).astype(np.float64)
    if len(np.unique(right)) < 2:
        return
    logits = logit(scores, 1e-6)
    fitted = platt.fit(
        lambda parameters: platt.sigmoid(platt.scaled(logits, *parameters)), right, np.array(UNCALIBRATED)
    )
    network.calibration.copy_(torch.from_numpy(fitted))


def learning_rate(step: int, steps: int, passes: int) -> float:
    """Returns that of a step: a cosine, and a shorter and lower one over the last passes."""
    first = steps * max(passes - AGAIN, 1)
    if step < first:
        return cosine(step, first, LEARNING_RATE)
    return cosine(step - first + WARM_UP_STEPS, steps * passes - first + WARM_UP_STEPS, AGAIN_SHARE * LEARNING_RATE)


def train(
    data: Path, out: Path, seed: int, schedule: tuple[tuple[int, int], ...] = SCHEDULE, steps: int = STEPS_PER_PASS
) -> None:
    torch.manual_seed(seed)
    device = best_device()
    network = PersonNetwork()
    network.start_from(lightning(out))
    network.trunk.freeze()
    network = network.to(device, memory_format=torch.channels_last)
    sources = load_sources(data, out)
    training = Training(network, out, "person", "person", WEIGHT_DECAY, gentle=(network.trunk, TRUNK_SHARE))
    sizes = [size for size, passes in schedule for _ in range(passes)]
    for epoch in range(training.passes, len(sizes)):
        running = 0.0
        batches = PersonBatches(sizes[epoch], epoch, seed, sources, steps)
        loader = torch.utils.data.DataLoader(batches, batch_size=None, num_workers=1, prefetch_factor=6)
        network.train()
        for step, batch in enumerate(loader, start=epoch * steps):
            batch = {name: value.to(device) for name, value in batch.items()}
            with training.autocast():
                maps = Maps(*(value.float() for value in network(to_network_range(batch["image"]))))
            loss = loss_of(maps, batch)
            training.step(loss, step, learning_rate(step, steps, len(sizes)))
            running += float(loss.detach())
        calibrate(training.average.eval(), sources.held_out)
        figures = evaluate_person.measure(as_detector(training.average), sources.held_out)
        training.finish_pass(size=sizes[epoch], loss=running / steps, **figures)


def main() -> None:
    arguments = command_line(__doc__).parse_args()
    train(arguments.data, arguments.out, arguments.seed)


if __name__ == "__main__":
    main()
