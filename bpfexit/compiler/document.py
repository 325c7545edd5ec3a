"""A bundle as a JSON document. It may come from a file, so everything in it is checked."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar

from bpfexit.compiler.bundle import (
    INSTRUCTION,
    VCPUS,
    Bundle,
    Field,
    Layout,
    MapDefinition,
    Program,
    loads_of_maps,
)

FORMAT = 1
"""Raised whenever the meaning of a document changes."""

LARGEST = 4 << 20
"""Maximum bytes of a document; the programs take some 60,000."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_FIELD_FORMAT = re.compile(r"[ui][1248]")
_LARGEST_STRUCT = 1 << 16
_LARGEST_NUMBER = (1 << 32) - 1

T = TypeVar("T")


class DocumentError(ValueError):
    """The bytes are not the document of a bundle."""


def encode(bundle: Bundle) -> bytes:
    """Return the document of a bundle."""
    programs = {
        name: {"instructions": program.instructions.hex(), "maps": [*program.maps.items()]}
        for name, program in bundle.programs.items()
    }
    document = {
        "format": FORMAT,
        "bcc": bundle.bcc,
        "programs": programs,
        "maps": {name: asdict(definition) for name, definition in bundle.maps.items()},
        "layouts": {name: asdict(layout) for name, layout in bundle.layouts.items()},
    }
    return json.dumps(document).encode()


def decode(text: bytes) -> Bundle:
    """Return the bundle of a document. Raises `DocumentError`."""
    _require(len(text) <= LARGEST)
    try:
        document = json.loads(text)
        _require(document["format"] == FORMAT)
        bundle = Bundle(
            bcc=_text(document["bcc"]),
            programs=_named(_program, document["programs"]),
            maps=_named(_map, document["maps"]),
            layouts=_named(_layout, document["layouts"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise DocumentError("not a bundle of BPF programs") from None
    known = bundle.maps.keys() | {VCPUS}
    _require(VCPUS not in bundle.maps)
    _require(all(known >= {*program.maps.values()} for program in bundle.programs.values()))
    return bundle


def _program(value: Any) -> Program:
    instructions = bytes.fromhex(value["instructions"])
    maps = {_number(index): _text(name) for index, name in value["maps"]}
    _require(instructions != b"" and len(instructions) % INSTRUCTION.size == 0)
    # Each load of a map and nothing else is given a descriptor; VCPUS alone is addressed.
    _require(maps.keys() == {index for index, _, _ in loads_of_maps(instructions)})
    loads = loads_of_maps(instructions)
    _require(all((maps[index] == VCPUS) == of_value for index, of_value, _ in loads))
    return Program(instructions, maps)


def _map(value: Any) -> MapDefinition:
    names = ("kind", "key_size", "value_size", "max_entries", "flags")
    return MapDefinition(**{name: _number(value[name]) for name in names})


def _layout(value: Any) -> Layout:
    layout = Layout(_number(value["size"], _LARGEST_STRUCT), _named(_field, value["fields"]))
    for field in layout.fields.values():
        _require(field.offset + field.count * int(field.format[1:]) <= layout.size)
    return layout


def _field(value: Any) -> Field:
    numbers = _number(value["offset"], _LARGEST_STRUCT), _number(value["count"], _LARGEST_STRUCT)
    _require(numbers[1] > 0 and _FIELD_FORMAT.fullmatch(value["format"]) is not None)
    return Field(numbers[0], value["format"], numbers[1])


def _named(parse: Callable[[Any], T], values: Any) -> dict[str, T]:
    _require(all(_NAME.fullmatch(name) for name in values))
    return {name: parse(value) for name, value in values.items()}


def _number(value: Any, most: int = _LARGEST_NUMBER) -> int:
    _require(type(value) is int and 0 <= value <= most)
    return int(value)


def _text(value: Any) -> str:
    _require(isinstance(value, str) and len(value) < 64 and value.isprintable())
    return str(value)


def _require(holds: bool) -> None:
    if not holds:
        raise DocumentError("not a bundle of BPF programs")
