"""The reference of REST, of its OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from schema_tables import cell, fields, row, type_of

_OF_STREAMS = ("StreamOptions", "TrackedBoxOption", "TrackedBoxes")  # on the page of the WebSocket
HEAD = """# REST reference

Made of the service's OpenAPI document, which a running service has at `/openapi.json`, and as a page at `/docs`.
By example: [the API](../api.md). Every error is a [Problem](#problem); their codes are in [errors](../api.md#errors).
"""


def rest_page(document: dict[str, Any]) -> str:
    parts = [HEAD]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parts.append("\n".join(_operation(method.upper(), path, operation)))
    parts.append("## Schemas\n")
    for name, schema in document["components"]["schemas"].items():
        if name not in _OF_STREAMS:
            parts.append("\n".join(_schema(name, schema)))
    return "\n".join(parts)


def _operation(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"## {method} {path}\n"
    if description := operation.get("description"):
        yield f"{description.strip()}\n"
    body = operation.get("requestBody", {}).get("content", {})
    if body:
        yield f"**Body**: {', '.join(f'`{kind}`' for kind in body)}.\n"
        yield from _own_fields(body)
    if parameters := operation.get("parameters", []):
        where = "in the form, the JSON or the query" if body else "in the address"
        yield f"**Options** {where}:\n"
        yield from ("| option | type | meaning |", "|---|---|---|")
        for parameter in parameters:
            schema = parameter.get("schema") or parameter["content"]["application/json"]["schema"]
            yield row(f"`{parameter['name']}`", type_of(_given(schema)), parameter.get("description", ""))
        yield ""
    refusals = []
    yield from ("**Answers**:\n", "| status | type | content |", "|---|---|---|")
    for status, answer in operation["responses"].items():
        content = answer.get("content", {})
        if "application/problem+json" in content:
            refusals.append(status)
            continue
        for kind, shape in content.items():
            schema = shape.get("schema", {})
            yield row(status, f"`{kind}`", type_of(schema) if schema else "as the type says")
    if refusals:
        yield row(", ".join(refusals), "`application/problem+json`", "[Problem](#problem)")
    yield ""


def _own_fields(body: dict[str, Any]) -> Iterator[str]:
    """The files of a form, and those of JSON."""
    for kind in ("multipart/form-data", "application/json"):
        schema = body.get(kind, {}).get("schema", {})
        files = {
            name: field
            for name, field in schema.get("properties", {}).items()
            if "binary" in str(field) or field.get("format") == "byte"
        }
        if files:
            listed = (
                f"`{name}` ({'base64' if 'byte' in str(field) else type_of(field)})" for name, field in files.items()
            )
            yield f"* Of `{kind}`: {', '.join(listed)}."
    yield ""


def _given(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of an option that is there: null is as good as absent."""
    kinds = [kind for kind in schema.get("anyOf", []) if kind.get("type") != "null"]
    return kinds[0] if len(kinds) == 1 else {**schema, "anyOf": kinds} if kinds else schema


def _schema(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"### {name}\n"
    if description := schema.get("description"):
        yield f"{cell(description)}\n"
    if "properties" in schema:
        yield from fields(schema)
    else:
        yield f"{type_of(schema)}"
    yield ""
