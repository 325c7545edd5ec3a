"""What the loader knows of the maps is what maps.h says."""

import re

from bpfexit.tracer import plan as programs
from bpfexit.tracer.layouts import vcpus_dtype
from bpfexit.tracer.loader import OF_ALL_ROWS
from tests.unit import wire

TEXT = (programs.folder() / "maps.h").read_text()
CODE = re.sub(r"/\*.*?\*/", "", TEXT, flags=re.DOTALL)
SLOTS = 16


def test_the_map_of_vcpus_has_the_members_of_its_struct() -> None:
    (body,) = re.findall(r"^struct vcpus \{\n(.*?)^\};", CODE, re.MULTILINE | re.DOTALL)
    names = re.findall(r"(\w+)(?:\[.*?\])?;", body)
    vcpus = vcpus_dtype(wire.struct("vcpu"), SLOTS)
    assert list(vcpus.names or ()) == names
    assert vcpus["of_slot"] == (wire.struct("vcpu"), (SLOTS,))


def test_no_program_depends_on_the_number_of_rows() -> None:
    sources = {path for path in programs.folder().rglob("*.[ch]") if path.name != "maps.h"}
    assert not [path for path in sources if "MAX_ROWS" in path.read_text()]
    maps = [line for line in CODE.splitlines() if "MAX_ROWS" in line]
    found = [name for line in maps for name in OF_ALL_ROWS if re.search(rf"\b{name}\b", line)]
    assert sorted(found) == sorted(OF_ALL_ROWS)
    assert len(maps) == len(OF_ALL_ROWS)
