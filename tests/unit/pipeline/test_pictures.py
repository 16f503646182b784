from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from service.errors import DeepharError, InvalidArgument, InvalidImage, Unavailable
from service.pipeline.answers import Person, PoseAnswer
from service.pipeline.options import PictureOptions
from service.pipeline.pictures import usable
from service.testing.networks import JOINT_SCORE, PERSON_BOX
from service.vision.boxes import Box
from tests.unit.parts import Gateway, with_gateway

WIDTH, HEIGHT = 400, 300


def picture() -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(np.full((HEIGHT, WIDTH, 3), 90, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


async def estimated(parts: Gateway, sent: dict[str, object], image: bytes | None = None) -> PoseAnswer:
    with parts.pipeline.pixels.hold() as held:
        options = PictureOptions.of(sent)
        return await parts.pipeline.pictures.estimate(picture() if image is None else image, options, held, load=0.0)


def test_without_boxes_all_detections_with_usable_poses_are_answered() -> None:
    async def work(parts: Gateway) -> None:
        parts.server.people = 2
        answer = await estimated(parts, {})
        assert 1 > answer.people[0].score > answer.people[1].score > 0.5, "as sure joints, a less sure detection"
        assert [person.detection_score for person in answer.people] == pytest.approx([JOINT_SCORE, JOINT_SCORE - 0.1])
        best = answer.people[0]
        assert (best.box.x, best.box.height) == pytest.approx((PERSON_BOX[0] * WIDTH, PERSON_BOX[3] * WIDTH))
        middle = best.keypoints_px.mean(axis=0)
        assert middle == pytest.approx([best.box.x + best.box.width / 2, best.box.y + best.box.height / 2], abs=0.01)
        assert len((await estimated(parts, {"max_people": 1})).people) == 1

    with_gateway(work)


def test_with_boxes_there_is_one_person_per_box_in_their_order() -> None:
    async def work(parts: Gateway) -> None:
        boxes = [[200, 20, 50, 90], [10, 20, 50, 90]]
        answer = await estimated(parts, {"boxes": boxes})
        assert [[p.box.x, p.box.y, p.box.width, p.box.height] for p in answer.people] == boxes
        assert [person.detection_score for person in answer.people] == [None, None]
        assert [network for network, _ in parts.server.calls].count("person") == 0
        batches = [tensors["image"].shape[0] for network, tensors in parts.server.calls if network == "lite_frame"]
        assert batches == [2]

    with_gateway(work)


def test_a_flip_test_sees_each_crop_twice() -> None:
    async def work(parts: Gateway) -> None:
        await estimated(parts, {"boxes": [[10, 20, 50, 90]], "flip": True})
        seen, mirrored = [tensors["image"] for network, tensors in parts.server.calls if network == "lite_frame"]
        assert np.array_equal(seen[:, :, ::-1], mirrored)

    with_gateway(work)


def test_doubtful_poses_are_answered_where_they_are_asked_for() -> None:
    box = Box(0, 0, 9, 9)
    found = [Person(box, score, np.zeros((1, 2), np.float32), np.zeros(1, np.float32)) for score in (0.2, 0.5, 0.9)]
    means = np.array([0.31, 0.2, 0.8], np.float32)
    assert [person.score for person in usable(found, means, None)] == [0.9, 0.2]
    assert [person.score for person in usable(found, means, 0.4)] == [0.9, 0.5]
    assert [person.score for person in usable(found, means, 0)] == [0.9, 0.5, 0.2]


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        ({"boxes": [[500, 20, 50, 90]]}, InvalidArgument),
        ({"boxes": [[0, 0, 9, 9]] * 65}, InvalidArgument),
        ({"layout": "nobody"}, InvalidArgument),
        ({"max_people": 1000}, InvalidArgument),
        ({"model": "nobody"}, DeepharError),
        ({"camera": {"fx": 1, "fy": 1, "cx": 0, "cy": 0, "root_depth_mm": [1, 2]}}, InvalidArgument),
    ],
)
def test_options_that_do_not_fit_are_told_before_a_network_is_asked(
    sent: dict[str, object], error: type[DeepharError]
) -> None:
    async def work(parts: Gateway) -> None:
        with pytest.raises(error):
            await estimated(parts, sent)
        assert not parts.server.calls

    with_gateway(work)


def test_what_is_no_picture_is_told() -> None:
    async def work(parts: Gateway) -> None:
        with pytest.raises(InvalidImage):
            await estimated(parts, {}, image=b"nothing")

    with_gateway(work)


@pytest.mark.parametrize("network", ["person", "lite_frame"])
def test_a_network_that_does_not_answer_is_an_error_and_never_fewer_people(network: str) -> None:
    async def work(parts: Gateway) -> None:
        parts.server.broken.add(network)
        with pytest.raises(Unavailable):
            await estimated(parts, {})

    with_gateway(work)


def test_the_self_check_asks_every_network_that_an_answer_needs() -> None:
    async def work(parts: Gateway) -> None:
        await parts.pipeline.self_check.run()
        assert {"person", "lite_frame", "lite_clip"} <= {network for network, _ in parts.server.calls}
        parts.server.broken.add("lite_clip")
        with pytest.raises(Unavailable):
            await parts.pipeline.self_check.run()

    with_gateway(work)
