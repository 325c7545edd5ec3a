"""What the loader knows of the maps is what maps.h says."""

import re
from typing import Any

import numpy as np

from bpfexit.tracer import plan as programs
from bpfexit.tracer.layouts import vcpus_dtype
from bpfexit.tracer.loader import OF_ALL_ROWS
from tests.unit import wire

TEXT = (programs.folder() / "maps.h").read_text()
CODE = re.sub(r"/\*.*?\*/", "", TEXT, flags=re.DOTALL)
SLOTS = 16
VCPU = wire.struct("vcpu")
KINDS: dict[str, Any] = {"vcpu": VCPU, "u8": "u1", "u16": "u2", "u32": "u4", "u64": "u8"}


def test_the_map_of_vcpus_has_the_members_of_its_struct() -> None:
    (body,) = re.findall(r"^struct vcpus \{\n(.*?)^\};", CODE, re.MULTILINE | re.DOTALL)
    found = re.findall(r"^\t(?:struct )?(\w+) (\w+)(?:\[(.*?)\])?;", body, re.MULTILINE)
    names = wire.defines() | {"MAX_VCPUS": SLOTS}
    members = [(name, KINDS[kind], eval(size or "()", {}, names)) for kind, name, size in found]  # noqa: S307
    assert vcpus_dtype(VCPU, SLOTS) == np.dtype(members, align=True)


def test_no_program_depends_on_the_number_of_rows() -> None:
    sources = {path for path in programs.folder().rglob("*.[ch]") if path.name != "maps.h"}
    assert not [path for path in sources if "MAX_ROWS" in path.read_text()]
    maps = [line for line in CODE.splitlines() if "MAX_ROWS" in line]
    found = [name for line in maps for name in OF_ALL_ROWS if re.search(rf"\b{name}\b", line)]
    assert sorted(found) == sorted(OF_ALL_ROWS)
    assert len(maps) == len(OF_ALL_ROWS)
