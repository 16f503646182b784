"""Tables of JSON schemas in Markdown."""

from __future__ import annotations

import json
from typing import Any

Schema = dict[str, Any]

_PLAIN = {"integer": "whole number", "string": "text", "boolean": "true or false", "null": "null", "object": "object"}


def type_of(schema: Schema, page: str = "") -> str:
    """Returns a schema's type in words; schemas of their own are links to their headings on `page`."""
    match schema:
        case {"$ref": str(name)}:
            name = name.rpartition("/")[2]
            return f"[{name}]({page}#{name.lower()})"
        case {"anyOf": list(kinds)} | {"oneOf": list(kinds)}:
            return " or ".join(dict.fromkeys(type_of(kind, page) for kind in kinds))
        case {"enum": list(values)}:
            return ", ".join(f"`{value}`" for value in values)
        case {"const": value}:
            return f"`{value}`"
        case {"prefixItems": list(items)}:
            return f"[{', '.join(type_of(item, page) for item in items)}]"
        case {"type": "array"}:
            return f"list of {type_of(schema.get('items', {}), page)}"
        case {"type": "object", "additionalProperties": dict(values)}:
            return f"object of {type_of(values, page)}"
        case {"type": "string", "format": "binary"}:
            return "file"
        case {"type": str(kind)}:
            return _PLAIN.get(kind, kind) + _range(schema)
    return "anything"


def _range(schema: Schema) -> str:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None and high is None:
        return ""
    return f" from {low:.10g}" + ("" if high is None else f" to {high:.10g}")


def cell(text: str) -> str:
    """Returns a text as it stands in a table."""
    return " ".join(text.split()).replace("|", "\\|")


def row(*cells: str) -> str:
    return f"| {' | '.join(map(cell, cells))} |".replace("|  |", "| |")


def fields(schema: Schema, page: str = "") -> list[str]:
    """Returns the table of an object's fields."""
    required = schema.get("required", [])
    lines = ["| field | type | meaning |", "|---|---|---|"]
    for name, field in schema.get("properties", {}).items():
        meaning = field.get("description", "")
        if name not in required and "absent" not in meaning:
            default = field.get("default")
            absent = f"default `{json.dumps(default)}`" if default not in (None, [], "") else "may be absent"
            meaning = f"{meaning}; {absent}" if meaning else absent
        lines.append(row(f"`{name}`", type_of(field, page), meaning))
    return lines
