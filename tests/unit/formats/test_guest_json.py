"""A line holds all that is known of a guest, and no line breaks the reader."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.errors import BpfexitError
from bpfexit.events.mmio import MMIO
from bpfexit.events.pio import PIO
from bpfexit.events.region import Region
from bpfexit.formats.json import values as json_values
from bpfexit.formats.json.guest import SCHEMA, decode, encode
from bpfexit.model.guest import Guest, NameSource
from tests.unit.builders import guests

WEB = Guest(
    4711,
    "web",
    "qemu",
    "qemu",
    (("machine", "pc"), ("no-hpet", "")),
    (Region(PIO, 0x608, 0x60B, "acpi-tmr"), Region(MMIO, 0, 2**64 - 1, "system")),
    NameSource.QMP,
    manager="libvirt",
    cpu_quota=2.5,
)


def test_the_line() -> None:
    assert json.loads(encode(WEB)) == {
        "schema": "bpfexit.guest/2",
        "pid": 4711,
        "name": "web",
        "named_by": "qemu",
        "vmm": "qemu",
        "options": [["machine", "pc"], ["no-hpet", ""]],
        "mapped_by": "qmp",
        "ended": False,
        "manager": "libvirt",
        "cpu_quota": 2.5,
        "regions": [["pio", 0x608, 0x60B, "acpi-tmr"], ["mmio", 0, 2**64 - 1, "system"]],
    }


@given(guests())
def test_what_is_written_is_read(guest: Guest) -> None:
    line = encode(guest)
    assert line.isascii()
    assert line.isprintable()
    assert decode(line) == guest


def test_a_line_of_before_does_not_know_the_manager_or_the_quota() -> None:
    document = json.loads(encode(WEB))
    del document["manager"], document["cpu_quota"]
    assert decode(json.dumps(document)) == replace(WEB, manager="", cpu_quota=None)


def test_regions_are_put_in_order() -> None:
    assert decode(encode(replace(WEB, regions=WEB.regions[::-1]))) == WEB


@pytest.mark.parametrize("line", ["", "x", "{}", '{"schema":"other"}', '["bpfexit.guest/2"]'])
def test_another_line_is_none(line: str) -> None:
    assert decode(line) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"pid": -1},
        {"pid": 2**32},
        {"pid": True},
        {"pid": "1"},
        {"options": 1},
        {"options": [["a"]]},
        {"mapped_by": "me"},
        {"regions": [["pio", 2, 1, "x"]]},
        {"regions": [["pio", 0, 2**64, "x"]]},
        {"regions": [["disk", 0, 1, "x"]]},
        {"regions": [["pio", 0, 1]]},
        {"regions": [["pio", 0.5, 1, "x"]]},
        {"regions": {"pio": 1}},
    ],
)
def test_what_is_no_guest_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BpfexitError, match=r"is not valid|unknown"):
        decode(json.dumps(json.loads(encode(WEB)) | wrong))


@pytest.mark.parametrize("missing", ["pid", "name", "options", "regions", "ended"])
def test_what_is_missing_is_said(missing: str) -> None:
    document = json.loads(encode(WEB))
    del document[missing]
    with pytest.raises(BpfexitError, match=f"{missing} is missing"):
        decode(json.dumps(document))


def test_a_line_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    line = encode(WEB)
    monkeypatch.setattr(json_values, "SHORT_LINE", len(line))
    assert decode(line) == WEB
    with pytest.raises(BpfexitError, match="longer than"):
        decode(f"{line} ")


@given(st.text(max_size=60))
def test_no_rest_of_a_line_breaks_it(rest: str) -> None:
    with pytest.raises(BpfexitError):
        decode(f'{{"schema":"{SCHEMA}",{rest}')
