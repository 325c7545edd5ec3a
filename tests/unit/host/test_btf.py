"""Types of a hand-made kernel, of a module on top of it, and of the running one."""

import struct
from pathlib import Path

import pytest

from bpfexit.host import btf
from bpfexit.host.btf import Types
from tests.unit.btf import BITFIELDS, KIND_INT, Builder


def kernel() -> Builder:
    types = Builder()
    types.integer("int")
    types.structure("kvm", [("vcpu_id", 8)])
    types.structure("kvm_vcpu", [("kvm", 0), ("cpu", 64), ("vcpu_id", 96)])
    types.structure("flags", [("low", 3 << 24), ("high", 5 << 24 | 72)], BITFIELDS)
    return types


@pytest.mark.parametrize(
    ("name", "member", "offset"),
    [
        ("kvm_vcpu", "kvm", 0),
        ("kvm_vcpu", "vcpu_id", 12),
        ("kvm", "vcpu_id", 1),
        ("flags", "high", 9),
        ("kvm_vcpu", "vcpu", None),
        ("vcpu", "vcpu_id", None),
        ("int", "vcpu_id", None),
    ],
)
def test_offset_of_a_member(name: str, member: str, offset: int | None) -> None:
    assert Types([kernel().blob()]).offset((name, member)) == offset


def test_a_module_continues_the_strings_of_the_kernel() -> None:
    base = Builder()
    base.integer("int")
    module = Builder(base)
    module.structure("kvm_vcpu", [("cpu", 64), ("vcpu_id", 96)])
    assert Types([base.blob(), module.blob()]).offset(("kvm_vcpu", "vcpu_id")) == 12


def test_no_types_no_offset() -> None:
    assert Types().offset(("kvm_vcpu", "vcpu_id")) is None


def test_a_number_that_looks_like_the_name_is_passed_over() -> None:
    # The size of an int is made equal to where the struct's name lies.
    types = Builder()
    types.types += struct.pack("<IIII", types.name("int"), KIND_INT << 24, 5, 32)
    types.structure("pair", [("second", 32)])
    assert types.strings.index(b"pair") == 5
    assert Types([types.blob()]).offset(("pair", "second")) == 4


def test_a_path_adds_its_steps_up() -> None:
    types = Types([kernel().blob()])
    assert types.offset(("kvm_vcpu", "cpu"), ("flags", "high")) == 8 + 9
    assert types.offset(("kvm_vcpu", "cpu"), ("flags", "middle")) is None


def test_only_files_with_types_are_read(tmp_path: Path) -> None:
    path = btf.path("kvm", tmp_path)
    path.parent.mkdir(parents=True)

    def offset() -> int | None:
        return btf.types_of("kvm", tmp_path).offset(("kvm_vcpu", "vcpu_id"))

    assert offset() is None  # there is no file
    path.write_bytes(kernel().blob())
    assert offset() == 12
    for content in (b"", b"\x9f\xeb", b"\x7fELF".ljust(100, b"\0")):
        path.write_bytes(content)
        assert offset() is None
    path.unlink()
    path.mkdir()
    with pytest.raises(IsADirectoryError):  # there, and cannot be read
        offset()


def test_the_running_kernel() -> None:
    if not btf.path().exists():
        pytest.skip("this kernel has no BTF")
    types = btf.types_of("kvm")
    # `struct list_head { struct list_head *next, *prev; }` since Linux 2.0.
    assert types.offset(("list_head", "next")) == 0
    assert types.offset(("list_head", "prev")) == 8
