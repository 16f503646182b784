"""What the documentation at /docs says of bodies and problems, where FastAPI cannot see it in the code."""

from __future__ import annotations

from typing import Any

from service.rest import problems
from service.rest.requests import CAMERA_NUMBERS, ROOT_DEPTH
from service.rest.schemas import Problem

_NUMBER = {"type": "number"}
_OPTIONS: dict[str, Any] = {
    "model": {"type": "string"},
    "layout": {"type": "string"},
    "boxes": {"type": "array", "items": {"type": "array", "items": _NUMBER}},
}
_CAMERA = {
    "type": "object",
    "required": [*CAMERA_NUMBERS, ROOT_DEPTH],
    "properties": {
        **dict.fromkeys(CAMERA_NUMBERS, _NUMBER),
        ROOT_DEPTH: {"anyOf": [_NUMBER, {"type": "array", "items": _NUMBER}]},
    },
}
_WHOLE, _SWITCH = {"type": "integer"}, {"type": "boolean"}
POSE_OPTIONS = {**_OPTIONS, "camera": _CAMERA, "max_people": _WHOLE, "flip": _SWITCH}
ACTION_OPTIONS = {
    **_OPTIONS,
    "hop": _WHOLE,
    "top_k": _WHOLE,
    "people": {"type": "string", "enum": ["main", "all"]},
    "max_people": _WHOLE,
    "smooth": _SWITCH,
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "content": {problems.MEDIA_TYPE: {}}} for status in (404, 413, 415, 422, 429, 503, 504)
}


def file_body(field: str, kinds: tuple[str, ...], options: dict[str, Any]) -> dict[str, Any]:
    """A body that is a form, a raw file or JSON."""
    binary = {"type": "string", "format": "binary"}
    form = {"type": "object", "required": [field], "properties": {field: binary, **options}}
    encoded = {"type": "string", "format": "byte", "description": "base64"}
    document = {"type": "object", "required": [field], "properties": {field: encoded, **options}}
    content: dict[str, Any] = {"multipart/form-data": {"schema": form}, "application/json": {"schema": document}}
    content |= {kind: {"schema": binary} for kind in kinds}
    return {"requestBody": {"required": True, "content": content}}
