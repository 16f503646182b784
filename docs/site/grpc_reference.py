"""The reference of gRPC, of the proto and its comments."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorSet
from grpc_tools import protoc
from schema_tables import row

PROTO = Path(__file__).resolve().parents[2] / "proto"
FILE = "deephar/v1/inference.proto"
MESSAGES, ENUMS, SERVICES, MEMBERS = 4, 5, 6, 2  # numbers of fields of descriptors, of which a place consists
HEAD = """# gRPC reference

Made of [`proto/deephar/v1/inference.proto`](../../proto/deephar/v1/inference.proto). By example:
[the API](../api.md#grpc), [live streams](../api.md#live-streams). The package is `deephar.v1`.
"""

_TYPES = {
    FieldDescriptorProto.TYPE_DOUBLE: "double",
    FieldDescriptorProto.TYPE_UINT32: "uint32",
    FieldDescriptorProto.TYPE_UINT64: "uint64",
    FieldDescriptorProto.TYPE_INT64: "int64",
    FieldDescriptorProto.TYPE_BOOL: "bool",
    FieldDescriptorProto.TYPE_STRING: "string",
    FieldDescriptorProto.TYPE_BYTES: "bytes",
}


class Proto:
    """The contract, with its comments."""

    def __init__(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "set"
            arguments = ["protoc", f"-I{PROTO}", "--include_source_info", f"--descriptor_set_out={out}", FILE]
            if protoc.main(arguments) != 0:
                raise RuntimeError("protoc failed")
            (self.file,) = FileDescriptorSet.FromString(out.read_bytes()).file
        self._comments = {
            tuple(place.path): ". ".join(
                " ".join(part.split()) for part in (place.trailing_comments, place.leading_comments) if part
            )
            for place in self.file.source_code_info.location
        }

    def comment(self, *place: int) -> str:
        return self._comments.get(place, "")

    def field_comments(self, message: str) -> dict[str, str]:
        """Returns the comments of a message's fields by their names."""
        names = [one.name for one in self.file.message_type]
        index = names.index(message)
        fields = self.file.message_type[index].field
        return {field.name: self.comment(MESSAGES, index, MEMBERS, i) for i, field in enumerate(fields)}


def grpc_page(proto: Proto) -> str:
    parts = [HEAD]
    for index, service in enumerate(proto.file.service):
        parts.append("\n".join(_service(proto, index, service)))
    parts.append("## Messages\n")
    for index, message in enumerate(proto.file.message_type):
        parts.append("\n".join(_message(proto, index, message)))
    parts.append("## Enums\n")
    for index, enum in enumerate(proto.file.enum_type):
        parts.append("\n".join(_enum(proto, index, enum)))
    return "\n".join(parts)


def _service(proto: Proto, index: int, service: Any) -> Iterator[str]:
    yield f"## {service.name}\n"
    yield f"{proto.comment(SERVICES, index)}\n"
    yield from ("| call | request | answer | meaning |", "|---|---|---|---|")
    for i, method in enumerate(service.method):
        request = ("stream of " if method.client_streaming else "") + _link(method.input_type)
        answer = ("stream of " if method.server_streaming else "") + _link(method.output_type)
        yield row(f"`{method.name}`", request, answer, proto.comment(SERVICES, index, MEMBERS, i))
    yield ""


def _message(proto: Proto, index: int, message: Any) -> Iterator[str]:
    yield f"### {message.name}\n"
    if comment := proto.comment(MESSAGES, index):
        yield f"{comment}\n"
    if not message.field:
        yield "It has no fields.\n"
        return
    maps = {nested.name: nested for nested in message.nested_type}
    yield from ("| field | type | number | meaning |", "|---|---|---|---|")
    for i, field in enumerate(message.field):
        meaning = proto.comment(MESSAGES, index, MEMBERS, i)
        yield row(f"`{field.name}`", _type(field, message, maps), str(field.number), meaning)
    yield ""


def _type(field: FieldDescriptorProto, message: Any, maps: dict[str, Any]) -> str:
    if (entry := maps.get(field.type_name.rpartition(".")[2])) is not None:
        key, value = entry.field
        return f"map of {_TYPES[key.type]} to {_TYPES[value.type]}"
    kind = _link(field.type_name) if field.type_name else _TYPES[field.type]
    if field.label == FieldDescriptorProto.LABEL_REPEATED:
        return f"repeated {kind}"
    if field.proto3_optional:
        return f"optional {kind}"
    if field.HasField("oneof_index"):
        return f"{kind} (one of `{message.oneof_decl[field.oneof_index].name}`)"
    return kind


def _enum(proto: Proto, index: int, enum: Any) -> Iterator[str]:
    yield f"### {enum.name}\n"
    if comment := proto.comment(ENUMS, index):
        yield f"{comment}\n"
    yield from ("| value | number | meaning |", "|---|---|---|")
    for i, value in enumerate(enum.value):
        yield row(f"`{value.name}`", str(value.number), proto.comment(ENUMS, index, MEMBERS, i))
    yield ""


def _link(name: str) -> str:
    name = name.rpartition(".")[2]
    return f"[{name}](#{name.lower()})"
