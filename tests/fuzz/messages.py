"""Messages of the proto with odd values, built from its descriptors, and their bytes as a broken client sends them."""

from __future__ import annotations

from typing import Any

from deephar.v1 import inference_pb2 as pb
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

from tests.fuzz import media

_MOST_IN_A_LIST, _MOST_MESSAGES = 3, 6
_RANGES = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.CPPTYPE_ENUM: (-2, 6),
}
# What comes past the first check, beside any other value.
_USUAL: dict[str, list[Any]] = {
    "model": ["", "lite"],
    "layout": ["", "pa16", "coco17"],
    "max_people": [0, 1, 3],
    "hop": [0, 1, 4],
    "top_k": [0, 1],
    "min_score": [0.0, 0.5],
    "deadline_ms": [0.0, 1000.0],
    "x": [0.0, 1.0],
    "y": [0.0, 1.0],
    "width": [4, 40],
    "height": [2, 30],
    "rgb": [bytes(24)],
    "fx": [1000.0],
    "fy": [1000.0],
    "timestamp_ns": [0, 10**8, 2 * 10**8],
}


def values(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    """Returns what a field may have, a list's once."""
    if field.message_type is not None:
        return messages(field.message_type)
    usual = [value for value in _USUAL.get(field.name, []) if not (field.name == "width" and isinstance(value, float))]
    if field.name in ("image", "encoded"):
        return media.pictures()
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_BOOL:
            odd: st.SearchStrategy[Any] = st.booleans()
        case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
            odd = st.floats()
        case FieldDescriptor.CPPTYPE_STRING:
            odd = st.binary(max_size=50) if field.type == FieldDescriptor.TYPE_BYTES else st.text(max_size=50)
        case _:
            odd = st.integers(*_RANGES[field.cpp_type])
    return st.sampled_from(usual) | odd if usual else odd


def messages(descriptor: Any) -> st.SearchStrategy[Any]:
    """Returns messages of a type, with any of their fields; of a `oneof` the last that is set holds."""
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for field in descriptor.fields:
        value = values(field)
        fields[field.name] = st.lists(value, max_size=_MOST_IN_A_LIST) if field.is_repeated else value
    kind = GetMessageClass(descriptor)
    return st.fixed_dictionaries({}, optional=fields).map(lambda given: kind(**given))


def sent(kind: type[Message]) -> st.SearchStrategy[list[bytes]]:
    """Returns the bytes of the messages of one call, some of them damaged or none of the type's."""
    whole = messages(kind.DESCRIPTOR).map(lambda message: message.SerializeToString())
    one = st.one_of(whole, whole, whole, st.builds(_damaged, whole, st.integers(0, 2**16), st.binary(max_size=4)))
    return st.lists(one | st.binary(max_size=40), min_size=0, max_size=2)


def clip() -> st.SearchStrategy[list[bytes]]:
    """Returns the bytes of the messages of a stream: mostly a config, then frames and flushes."""
    config = messages(pb.StreamConfig.DESCRIPTOR).map(lambda config: pb.StreamVideoRequest(config=config))
    frame = messages(pb.Frame.DESCRIPTOR).map(lambda frame: pb.StreamVideoRequest(frame=frame))
    flush = st.just(pb.StreamVideoRequest(flush=pb.Flush()))
    rest = st.lists(st.one_of(frame, frame, frame, flush, config), max_size=_MOST_MESSAGES)
    begun = st.builds(lambda first, more: [first, *more], config, rest)
    in_order = begun.map(lambda sent: [message.SerializeToString() for message in sent])
    return st.one_of(in_order, in_order, in_order, sent(pb.StreamVideoRequest))


def _damaged(data: bytes, place: int, new: bytes) -> bytes:
    place %= len(data) + 1
    return data[:place] + new + (data[place + len(new) :] if len(new) % 2 else b"")
