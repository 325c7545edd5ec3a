"""A document is a bundle, whole and consistent, or is refused: it may come from a file."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.compiler.bundle import VCPUS, Bundle, Field, Layout, MapDefinition, Program
from bpfexit.compiler.document import FORMAT, LARGEST, DocumentError, decode, encode
from tests.unit.compiler.test_bundle import CODE, FD

BUNDLE = Bundle(
    bcc="0.26.0",
    programs={"on_kvm_exit": Program(CODE.replace(bytes([FD]), b"\0"), {0: "rows", 4: VCPUS})},
    maps={"rows": MapDefinition(2, 4, 576, 1, 1 << 10)},
    layouts={"row": Layout(16, {"what": Field(0, "u8", 1), "hist": Field(8, "u4", 2)})},
)


def changed(place: str, value: Any) -> bytes:
    """Return the document with another value at a place such as `maps.rows.kind`."""
    document = json.loads(encode(BUNDLE))
    *way, last = place.split(".")
    inner = document
    for name in way:
        inner = inner[name]
    inner[last] = value
    return json.dumps(document).encode()


def test_what_is_written_is_read() -> None:
    assert decode(encode(BUNDLE)) == BUNDLE


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("format", FORMAT + 1),
        ("format", None),
        ("bcc", 26),
        ("bcc", "\x1b[2J"),
        ("bcc", "0" * 1000),
        ("programs", []),
        ("programs", {"on exit": {"instructions": "00" * 8, "maps": []}}),
        ("programs.on_kvm_exit", None),
        ("programs.on_kvm_exit.instructions", ""),
        ("programs.on_kvm_exit.instructions", "00" * 7),
        ("programs.on_kvm_exit.instructions", "00" * 8),  # what loads maps is not there
        ("programs.on_kvm_exit.instructions", "no hex"),
        ("programs.on_kvm_exit.instructions", 5),
        ("programs.on_kvm_exit.maps", []),  # a load that would get no descriptor
        ("programs.on_kvm_exit.maps", [[0, "rows"]]),
        ("programs.on_kvm_exit.maps", [[0, "rows"], [4, VCPUS], [6, "rows"]]),
        ("programs.on_kvm_exit.maps", [[0, "rows"], [4, VCPUS], [1 << 20, "rows"]]),
        ("programs.on_kvm_exit.maps", [[0, "rows"], [4, VCPUS], [-1, "rows"]]),
        ("programs.on_kvm_exit.maps", [[0, "others"], [4, VCPUS]]),
        ("programs.on_kvm_exit.maps", [[0, VCPUS], [4, VCPUS]]),
        ("programs.on_kvm_exit.maps", [[0, "rows"], [4, "rows"]]),
        ("programs.on_kvm_exit.maps", [[0, ["rows"]], [4, VCPUS]]),
        ("maps.vcpus", {"kind": 2, "key_size": 4, "value_size": 8, "max_entries": 1, "flags": 0}),
        ("maps.rows.kind", -1),
        ("maps.rows.kind", 2.0),
        ("maps.rows.kind", True),
        ("maps.rows.key_size", "4"),
        ("maps.rows.max_entries", 1 << 32),
        ("maps.rows.flags", None),
        ("layouts.row.size", 1 << 40),
        ("layouts.row.size", 15),  # its last member would lie beyond it
        ("layouts.row.fields.what.format", "O"),
        ("layouts.row.fields.what.format", "u8,u8"),
        ("layouts.row.fields.what.offset", -8),
        ("layouts.row.fields.what.count", 0),
        ("layouts.row.fields.what.count", 1 << 60),
        ("layouts.row.fields.hist", [8, "u4", 2]),
    ],
)
def test_what_is_wrong_in_one_place_is_refused(place: str, value: Any) -> None:
    with pytest.raises(DocumentError):
        decode(changed(place, value))


@pytest.mark.parametrize("place", ["bcc", "programs", "maps", "layouts", "maps.rows.flags"])
def test_what_lacks_something_is_refused(place: str) -> None:
    document = json.loads(changed(place, "to be removed"))
    *way, last = place.split(".")
    inner = document
    for name in way:
        inner = inner[name]
    del inner[last]
    with pytest.raises(DocumentError):
        decode(json.dumps(document).encode())


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"null",
        b"7",
        b"{",
        b"[" * 100_000,
        b'{"format":' + b"9" * 5_000 + b"}",
        b"\xff\xfe\x00",
        encode(BUNDLE)[:-1],
        encode(BUNDLE) + b" " * LARGEST,
    ],
)
def test_what_is_no_document_is_refused(text: bytes) -> None:
    with pytest.raises(DocumentError):
        decode(text)


@given(st.binary(max_size=4), st.integers(0, len(encode(BUNDLE))), st.integers(0, 8))
def test_damage_is_refused_or_harmless(piece: bytes, at: int, removed: int) -> None:
    text = encode(BUNDLE)
    try:
        found = decode(text[:at] + piece + text[at + removed :])
    except DocumentError:
        return
    for program in found.programs.values():
        program.linked(dict.fromkeys([*found.maps, VCPUS], 3))
