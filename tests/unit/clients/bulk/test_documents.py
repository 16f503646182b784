"""The short way from gRPC's answer to a line of a result gives what the long one does."""

from __future__ import annotations

import json
from typing import Any

from deephar import messages
from deephar.bulk.documents import pose_document
from deephar.v1 import inference_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.text(max_size=8)


def built(kind: Any, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Messages in which each field is there or not."""
    return st.fixed_dictionaries({}, optional=fields).map(lambda chosen: kind(**chosen))


POSITIONS = built(pb.Position, x=NUMBERS, y=NUMBERS, z=NUMBERS)
KEYPOINTS = built(pb.Keypoint, name=NAMES, x=NUMBERS, y=NUMBERS, z=NUMBERS, score=NUMBERS, position_mm=POSITIONS)
BOXES = built(pb.Box, x=NUMBERS, y=NUMBERS, width=NUMBERS, height=NUMBERS)
PEOPLE = built(
    pb.Person,
    box=BOXES,
    score=NUMBERS,
    keypoints=st.lists(KEYPOINTS, max_size=3),
    id=st.integers(0, 9),
    detection_score=NUMBERS,
)
UNITS = built(pb.Units, x=st.integers(0, 2), y=st.integers(0, 2), z=st.integers(0, 5))
EDGES = st.tuples(st.integers(0, 20), st.integers(0, 20)).map(
    lambda ends: pb.Edge(**dict(zip(("from", "to"), ends, strict=True)))
)
LAYOUTS = built(
    pb.Layout, name=NAMES, joints=st.lists(NAMES, max_size=3), edges=st.lists(EDGES, max_size=2), units=UNITS
)
ANSWERS = built(
    pb.EstimatePoseResponse,
    model=NAMES,
    version=NAMES,
    image_width=st.integers(0, 9999),
    image_height=st.integers(0, 9999),
    layout=LAYOUTS,
    people=st.lists(PEOPLE, max_size=3),
    timing_ms=st.dictionaries(NAMES, NUMBERS, max_size=2),
    effort=st.integers(0, 7),
    effort_reason=NAMES,
)


@given(ANSWERS)
def test_it_is_the_same_text(message: pb.EstimatePoseResponse) -> None:
    assert json.dumps(pose_document(message)) == json.dumps(messages.pose_answer(message).to_dict())
