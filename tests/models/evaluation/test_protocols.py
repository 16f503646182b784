"""What the protocols make of known answers: the truth, the truth moved, and scores of clips."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from models.datasets.catalogue import open_split
from models.datasets.problem import DataProblem
from models.datasets.samples import Clip, Dataset, Person
from models.evaluation.asked import answered
from models.evaluation.figures import Compared, Outcome
from models.evaluation.metrics.oks import COCO17
from models.evaluation.metrics.views import views_of
from models.evaluation.protocols.actions import MULTI, SINGLE, ActionProtocol, ClipSettings
from models.evaluation.protocols.coco import CocoProtocol
from models.evaluation.protocols.h36m import H36mProtocol
from models.evaluation.protocols.lsp import LspProtocol
from models.evaluation.protocols.mpii import MpiiProtocol
from models.evaluation.protocols.people import AskingCrops, box_of
from models.evaluation.protocols.protocol import Protocol
from models.evaluation.protocols.whole_clips import WholeClipProtocol
from models.evaluation.targets.gateway import GatewayTarget
from models.evaluation.targets.network_target import NetworkTarget
from models.evaluation.targets.outputs import ActionsOfClip, WholeClip
from models.protocol.camera import depth_to_crop
from models.protocol.crop import map_points, plan_crop
from models.protocol.joints import PA16, PA17, PENN, mirror_pose, spread
from models.protocol.labels import PENN_ACTIONS
from tests.models.datasets import made_coco, made_h36m, made_lsp, made_mpii
from tests.models.evaluation.made_answers import SIZE, made_target

Floats = NDArray[np.float64]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for name, maker in (("mpii", made_mpii), ("h36m", made_h36m), ("lsp", made_lsp), ("coco", made_coco)):
        maker.make(folder / name)
    return folder


def people(dataset: Dataset[Any]) -> list[Any]:
    return [dataset[index] for index in range(len(dataset))]


def truth_crop(person: Person, joints: Sequence[str], window: Any = None, mirror: bool = False) -> Floats:
    """The annotated joints in a crop, in the order of a network; where there is none, the crop's middle."""
    plan = plan_crop(person.image_size, (window or person.window).at_least_smallest(), (SIZE, SIZE), mirror=mirror)
    shared = [joint for joint in person.joints if joint in joints]
    places = [person.joints.index(joint) for joint in shared]
    points = spread(map_points(plan.affine, person.keypoints_px)[places], shared, joints)
    if mirror:  # what the network calls left is the person's right
        unmirrored = points.copy()
        unmirrored[:, 0] = 1 - unmirrored[:, 0]
        points = mirror_pose(unmirrored, joints)
    return np.nan_to_num(points, nan=0.5)


def outcome_of(protocol: Protocol[Any], samples: Sequence[Any]) -> Outcome:
    return protocol.outcome([protocol.row(sample, answers) for sample, answers in answered(protocol, samples)])


def named(outcome: Outcome, name: str) -> Compared:
    return next(figure for figure in outcome.figures if figure.name == name)


def values(figure: Compared) -> tuple[float | None, float | None]:
    return (
        figure.original.value if figure.original else None,
        figure.strict.value if figure.strict else None,
    )


@pytest.mark.parametrize("views", ["single", "multi"])
def test_the_truth_of_mpii_is_right(data: Path, views: str) -> None:
    samples = people(open_split("mpii", data / "mpii", "val"))
    if views == "single":
        poses = [truth_crop(person, PA16)[None] for person in samples]
    else:
        poses = [
            truth_crop(person, PA16, view.window, view.mirror)[None]
            for person in samples
            for view in views_of(person.window)
        ]
    outcome = outcome_of(MpiiProtocol(AskingCrops(made_target(PA16, poses), views)), samples)
    assert values(named(outcome, "PCKh@0.5")) == (100, 100)
    assert named(outcome, "side exchange").strict.value == 0  # type: ignore[union-attr]
    assert {value for part in outcome.parts for value in part.values.values()} == {100}


def test_a_joint_outside_of_the_crop_counts_only_strictly(data: Path) -> None:
    samples = people(open_split("mpii", data / "mpii", "val"))[:2]
    outside = samples[0].keypoints_px.copy()
    outside[samples[0].joints.index("head")] = (-500, -500)
    samples[0] = replace(samples[0], keypoints_px=outside)
    poses = [np.clip(truth_crop(person, PA16), 0, 1)[None] for person in samples]
    outcome = outcome_of(MpiiProtocol(AskingCrops(made_target(PA16, poses), "single")), samples)
    original, strict = values(named(outcome, "PCKh@0.5"))
    assert original == 100
    assert strict == pytest.approx(100 * 27 / 28)


def test_a_network_of_clips_drops_the_last_people_of_mpii(data: Path) -> None:
    samples = people(open_split("mpii", data / "mpii", "val"))[:6]
    poses = [truth_crop(person, PA16)[None] for person in samples[:4]] + [np.full((1, 16, 2), 0.5)] * 2
    target = made_target(PA16, poses, labels=PENN_ACTIONS, clip_frames=4, model="penn")
    figure = named(outcome_of(MpiiProtocol(AskingCrops(target, "single")), samples), "PCKh@0.5")
    assert figure.original is not None
    assert (figure.original.value, figure.original.count) == (100, 4)
    assert figure.strict is not None
    assert figure.strict.value < 80
    assert "drops the rest, here 2" in figure.why


def h36m_answer(person: Any, lift_mm: float) -> Floats:
    """The truth as the network gives it, all joints but the root too far away by so much."""
    places = [person.joints.index(joint) for joint in PA17]
    uvz = person.uvz[places].copy()
    uvz[1:, 2] += lift_mm
    plan = plan_crop(person.image_size, person.window.at_least_smallest(), (SIZE, SIZE))
    depth = depth_to_crop(uvz[:, 2], person.uvz[person.joints.index("pelvis"), 2])
    return np.concatenate([map_points(plan.affine, uvz), depth[:, None]], axis=-1)


def test_the_best_block_and_the_root_make_human36m_smaller(data: Path) -> None:
    samples = people(open_split("h36m", data / "h36m", "val"))
    poses = [np.stack([h36m_answer(person, 50), h36m_answer(person, 100)]) for person in samples]
    outcome = outcome_of(H36mProtocol(AskingCrops(made_target(PA17, poses), "single"), ()), samples)
    figure = named(outcome, "MPJPE")
    original, strict = values(figure)
    assert original == pytest.approx(50 * 16 / 17, rel=0.02)  # the lines of sight are not quite parallel
    assert strict == pytest.approx(100, rel=0.02)
    assert "(here block1)" in figure.why
    blocks = next(part.values for part in outcome.parts if part.of == "block")
    assert blocks["block2"] == pytest.approx(100 * 16 / 17, rel=0.02)


def test_the_truth_of_lsp_and_coco_is_right(data: Path) -> None:
    samples = people(open_split("lsp", data / "lsp", "test"))
    poses = [truth_crop(person, PA16)[None] for person in samples]
    outcome = outcome_of(LspProtocol(AskingCrops(made_target(PA16, poses), "single")), samples)
    assert values(named(outcome, "PCK@0.2 torso")) == (None, 100)
    assert values(named(outcome, "PCP, strict")) == (None, 100)
    samples = people(open_split("coco", data / "coco", "val2017"))
    poses = [truth_crop(person, PA16)[None] for person in samples]
    outcome = outcome_of(CocoProtocol(AskingCrops(made_target(PA16, poses), "single")), samples)
    assert named(outcome, "AP").strict.value == pytest.approx(100)  # type: ignore[union-attr]
    assert outcome.notes[0] == "Without nose, left_eye, right_eye, left_ear, right_ear, which the model has not."
    samples = [replace(person, joints=COCO17) for person in samples]
    poses = [truth_crop(person, COCO17)[None] for person in samples]
    outcome = outcome_of(CocoProtocol(AskingCrops(made_target(COCO17, poses), "single")), samples)
    assert named(outcome, "AP").strict.value == pytest.approx(100)  # type: ignore[union-attr]
    assert not outcome.notes[0].startswith("Without")


def test_a_model_without_a_neck_is_evaluated_on_lsp_without_parts(data: Path) -> None:
    samples = people(open_split("lsp", data / "lsp", "test"))
    poses = [truth_crop(person, COCO17)[None] for person in samples]
    outcome = outcome_of(LspProtocol(AskingCrops(made_target(COCO17, poses), "single")), samples)
    assert values(named(outcome, "PCK@0.2 torso")) == (None, 100)
    assert not [figure for figure in outcome.figures if "PCP" in figure.name]
    assert outcome.notes == ["Without neck, head, which the model has not."]


def test_the_gateway_is_sent_the_box_that_makes_the_protocols_window(data: Path) -> None:
    (person, *_) = people(open_split("mpii", data / "mpii", "val"))
    x, y, width, height = box_of(person, 1.25)
    assert (width, height) == pytest.approx((person.window.width / 1.25, person.window.height / 1.25))
    assert (x + width / 2, y + height / 2) == pytest.approx((person.window.centre_x, person.window.centre_y))
    (coco, *_) = people(open_split("coco", data / "coco", "val2017"))
    assert box_of(coco, 1.25) == coco.box


CLIP = ClipSettings(frames=2, subsampling=3)


def sequence(key: str, action: int, frames: int, missing: Sequence[int] = ()) -> Clip:
    def read(frame: int) -> NDArray[np.uint8]:
        if frame in missing:
            raise DataProblem(f"{key} has no frame {frame}")
        return np.zeros((60, 80, 3), np.uint8)

    def window_of(_: Sequence[int], __: bool = False, /) -> Any:
        from models.protocol.window import Window

        return Window.of_whole_image(80, 60)

    nothing = np.zeros((frames, len(PENN), 2))
    return Clip(
        key=key, action=action, frames=frames, image_size=(80, 60), read=read, joints=PENN, keypoints=nothing,
        visible=nothing[..., 0] > 0, window_of=window_of,
    )  # fmt: skip


def scores(*classes: int) -> Floats:
    """The scores of two blocks, each sure of a class."""
    made = np.full((len(classes), len(PENN_ACTIONS)), 0.01)
    made[range(len(classes)), classes] = 0.8
    return made


def actions(answers: Sequence[Floats]) -> tuple[NetworkTarget, ActionProtocol]:
    target = made_target(PENN, [np.zeros((1, len(PENN), 2))] * 2 * len(answers), answers, PENN_ACTIONS, CLIP.frames)
    return target, ActionProtocol(target, CLIP, PENN_ACTIONS)


def test_sequences_without_a_clip_are_right_in_the_original_and_wrong_strictly() -> None:
    # Nine frames give two clips, each plain and mirrored; five give none.
    samples = [sequence("long", 3, 9), sequence("short", 4, 5), sequence("damaged", 5, 9, missing=range(9))]
    answers = [scores(1, 3), *[scores(3, 1)] * 3, scores(3, 3), scores(4, 4)]
    _, protocol = actions(answers)
    assert [len(protocol.views(one.frames)) for one in samples] == [5, 1, 5]
    outcome = outcome_of(protocol, samples)
    single, multi = named(outcome, SINGLE), named(outcome, MULTI)
    assert values(single) == pytest.approx((100 * 2 / 3, 100 * 2 / 3))
    assert values(multi) == pytest.approx((100, 0))  # the first block is right, the last one is wrong
    assert "(here action1)" in multi.why
    assert "here 2, count as correct in the original and as wrong strictly" in multi.why
    assert outcome.counts == {"failed": 1, "without a clip": 2}
    assert outcome.confusion is not None
    assert outcome.confusion.counts.shape == (15, 16)
    assert outcome.confusion.counts[[3, 4, 5], [1, 15, 15]].tolist() == [1, 1, 1]


def test_a_clip_that_cannot_be_read_leaves_the_others() -> None:
    samples = [sequence("0001", 3, 9, missing=[0])]  # the first of two clips, plain and mirrored
    _, protocol = actions([scores(3, 3), scores(3, 3), scores(2, 3)])
    row = protocol.row(*next(answered(protocol, samples)))
    assert row["multi"].shape == (2, 2, 15)
    assert row["failed"] == "0001 has no frame 0"
    assert protocol.so_far(row) == (100, 1)


def test_a_target_with_one_block_says_that_there_is_no_choice() -> None:
    _, protocol = actions([scores(3)] * 5)
    figure = named(outcome_of(protocol, [sequence("0001", 3, 9)]), MULTI)
    assert values(figure) == (100, 100)
    assert "this target has only the last one" in figure.why


class KnownGateway:
    """Answers whole sequences with prepared scores, or with the reason why there are none."""

    def __init__(self, answers: Sequence[ActionsOfClip]) -> None:
        self.answers = list(answers)
        self.asked: list[WholeClip] = []

    def actions(self, clips: Iterable[WholeClip]) -> Iterator[ActionsOfClip]:
        for clip, answer in zip(clips, self.answers, strict=True):
            self.asked.append(clip)
            yield answer


def test_a_sequence_without_an_answer_of_the_gateway_is_wrong() -> None:
    sure = ActionsOfClip(scores(3)[0].astype(np.float32), PENN_ACTIONS, None)
    lost = ActionsOfClip(np.zeros(15, np.float32), PENN_ACTIONS, "not_seen")
    gateway = KnownGateway([sure, sure, lost])
    protocol = WholeClipProtocol(cast(GatewayTarget, gateway), PENN_ACTIONS, 30, 1.25)
    samples = [sequence("0001", 3, 9), sequence("0002", 4, 9), sequence("0003", 0, 9)]
    outcome = outcome_of(protocol, samples)
    original, strict = values(named(outcome, "top-1, whole sequence"))
    assert original is None
    assert strict == pytest.approx(100 / 3)
    assert outcome.counts == {"without an answer": 1}
    assert outcome.confusion is not None
    assert outcome.confusion.counts[[3, 4, 0], [3, 3, 15]].tolist() == [1, 1, 1]
    assert gateway.asked[0].box == pytest.approx((8, -2, 64, 64))  # the whole picture's square, 1.25 times smaller
    assert len(list(gateway.asked[0].read())) == 9
