"""`bpfexit.guests/2`, a line per guest."""

import json

from bpfexit.formats.json.guests import encode
from bpfexit.model.guest import Guest
from bpfexit.model.running_guest import RunningGuest

UUID = "9c1ad29c-6fb7-4ad3-a3ab-a25a3cbb7f4a"


def test_all_that_is_known() -> None:
    guest = Guest(4711, "web", "qemu", "qemu", (("m", "4G"),))
    assert json.loads(encode(RunningGuest(guest, 4, 4 << 30, 4096, 12.5, UUID))) == {
        "schema": "bpfexit.guests/2",
        "name": "web",
        "named_by": "qemu",
        "pid": 4711,
        "vmm": "qemu",
        "vcpus": 4,
        "memory_bytes": 4 << 30,
        "resident_bytes": 4096,
        "running_s": 12.5,
        "uuid": UUID,
    }


def test_unknown_values_are_null() -> None:
    document = json.loads(encode(RunningGuest(Guest(4711, "pid:4711"), 0)))
    assert {name for name, value in document.items() if value is None} == {
        *("named_by", "vmm", "memory_bytes", "resident_bytes", "running_s", "uuid")
    }


def test_a_hostile_name_is_escaped() -> None:
    line = encode(RunningGuest(Guest(1, "\x1b[2J\n\u202e"), 0))
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["name"] == "\x1b[2J\n\u202e"
