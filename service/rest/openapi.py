"""OpenAPI of bodies, options and problems, where FastAPI cannot derive it from the code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from service.pipeline.options import JSON_OPTIONS
from service.rest import problems
from service.rest.schemas import Problem
from service.status import STATUS

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "content": {problems.MEDIA_TYPE: {}}}
    for status in sorted({400, *(status.http for status in STATUS.values())})  # 400: not HTTP that can be understood
}
_KEYS: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "a key, or a token"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


def with_keys(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """Returns what makes the document of an application whose callers need a key or a token: `/docs` asks for it."""

    def document() -> dict[str, Any]:
        made = FastAPI.openapi(app)
        made.setdefault("components", {})["securitySchemes"] = _KEYS
        made["security"] = [{name: []} for name in _KEYS]
        return made

    return document


def request_of(field: str, kinds: tuple[str, ...], options: type[BaseModel], many: str) -> dict[str, Any]:
    """Returns the OpenAPI of a request with a file: options in the query, and a form, raw or JSON body.

    Args:
        field: Name of the file in a form and in JSON.
        kinds: Media types of raw bodies.
        options: The model of the options.
        many: Name of the files that a form may have more than once: the same, or instead of that one.
    """
    properties = _properties(options)
    binary = {"type": "string", "format": "binary"}
    files = {field: binary, many: {"type": "array", "items": binary}}
    closed = {"type": "object", "additionalProperties": False}
    form = {**closed, "required": [field] if many == field else [], "properties": {**files, **properties}}
    encoded = {"type": "string", "format": "byte", "description": "base64"}
    document = {**closed, "required": [field], "properties": {field: encoded, **properties}}
    content: dict[str, Any] = {kind: {"schema": binary} for kind in kinds}  # first: /docs offers a file alone
    content |= {"multipart/form-data": {"schema": form}, "application/json": {"schema": document}}
    parameters = [_parameter(name, schema) for name, schema in properties.items()]
    return {"parameters": parameters, "requestBody": {"required": True, "content": content}}


def _properties(options: type[BaseModel]) -> dict[str, Any]:
    """Returns the schema of each option by name, with references resolved."""
    schema = options.model_json_schema()
    definitions = schema.get("$defs", {})

    def resolved(part: Any) -> Any:
        if isinstance(part, list):
            return [resolved(one) for one in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            return resolved(definitions[part["$ref"].rpartition("/")[2]])
        return {name: resolved(value) for name, value in part.items() if name != "title"}

    properties: dict[str, Any] = resolved(schema["properties"])
    return properties


def _parameter(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    shape = {"content": {"application/json": {"schema": schema}}} if name in JSON_OPTIONS else {"schema": schema}
    return {"name": name, "in": "query", "required": False, "description": schema.get("description", ""), **shape}
