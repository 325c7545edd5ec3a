"""The terms of the JSON Schemas of bpfexit's documents."""

from typing import Any

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

TEXT: Schema = {"type": "string"}
BOOL: Schema = {"type": "boolean"}
INTEGER: Schema = {"type": "integer"}
WHOLE: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
TEXTS: Schema = {"type": "array", "items": TEXT}


def null_or(schema: Schema) -> Schema:
    """Return the schema of the same value, or null if unknown."""
    return schema | {"type": [schema["type"], "null"]}


def one_of(values: list[Any]) -> Schema:
    """Return the schema of one of these values."""
    return {"enum": values}


def array(items: Schema) -> Schema:
    """Return the schema of an array."""
    return {"type": "array", "items": items}


def obj(required: Schema, optional: Schema | None = None) -> Schema:
    """Return the schema of an object with these properties."""
    return {
        "type": "object",
        "properties": required | (optional or {}),
        "required": [*required],
    }


def document(name: str, required: Schema, optional: Schema | None = None) -> Schema:
    """Return the schema of a document, whose `schema` is its name."""
    return {
        "$schema": DIALECT,
        "title": name,
        **obj({"schema": {"const": name}} | required, optional),
    }


def required_by(field: str, value: str, names: list[str], other_names: list[str]) -> Schema:
    """Return what a schema adds: the names required if a field has the value, and otherwise."""
    return {
        "if": {"properties": {field: {"const": value}}},
        "then": {"required": names},
        "else": {"required": other_names},
    }
