"""Types of a hand-made kernel, of a module on top of it, and of the running one."""

import struct
from itertools import count
from pathlib import Path

import pytest

from bpfexit.host import btf

MAGIC = 0xEB9F
KIND_INT, KIND_STRUCT = 1, 4
BITFIELDS = 1 << 31

Member = tuple[str, int]
"""Name, and the offset in bits."""


class Types:
    """Builds a BTF blob: a header, the types, the strings."""

    def __init__(self, base: "Types | None" = None) -> None:
        self.types = b""
        self.strings = b"" if base else b"\0"
        self.base = len(base.strings) if base else 0

    def name(self, text: str) -> int:
        at = self.base + len(self.strings)
        self.strings += text.encode() + b"\0"
        return at

    def integer(self, text: str) -> None:
        self.types += struct.pack("<IIII", self.name(text), KIND_INT << 24, 4, 32)

    def structure(self, text: str, members: list[Member], flag: int = 0) -> None:
        info = flag | KIND_STRUCT << 24 | len(members)
        self.types += struct.pack("<III", self.name(text), info, 64)
        for member, bits in members:
            self.types += struct.pack("<III", self.name(member), 1, bits)

    def blob(self) -> bytes:
        lengths = (0, len(self.types), len(self.types), len(self.strings))
        return struct.pack("<HBBI4I", MAGIC, 1, 0, 24, *lengths) + self.types + self.strings


def kernel() -> Types:
    types = Types()
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
    assert btf.member_offset([kernel().blob()], name, member) == offset


def test_a_module_continues_the_strings_of_the_kernel() -> None:
    base = Types()
    base.integer("int")
    module = Types(base)
    module.structure("kvm_vcpu", [("cpu", 64), ("vcpu_id", 96)])
    assert btf.member_offset([base.blob(), module.blob()], "kvm_vcpu", "vcpu_id") == 12


def test_no_types_no_offset() -> None:
    assert btf.member_offset([], "kvm_vcpu", "vcpu_id") is None


def test_a_number_that_looks_like_the_name_is_passed_over() -> None:
    # The size of an int is made equal to where the struct's name lies.
    types = Types()
    types.types += struct.pack("<IIII", types.name("int"), KIND_INT << 24, 5, 32)
    types.structure("pair", [("second", 32)])
    assert types.strings.index(b"pair") == 5
    assert btf.member_offset([types.blob()], "pair", "second") == 4


def test_only_files_with_types_are_read(tmp_path: Path) -> None:
    numbers = count()

    def read(content: bytes) -> bytes:
        place = tmp_path / str(next(numbers))
        place.write_bytes(content)
        return btf.read(place)

    assert read(kernel().blob()) == kernel().blob()
    assert read(b"") == b""
    assert read(b"\x9f\xeb") == b""
    assert read(b"\x7fELF".ljust(100, b"\0")) == b""
    assert btf.read(tmp_path / "missing") == b""
    with pytest.raises(IsADirectoryError):  # there, and cannot be read
        btf.read(tmp_path)


def test_the_running_kernel() -> None:
    blobs = [blob for blob in map(btf.read, btf.paths()) if blob]
    if not blobs:
        pytest.skip("this kernel has no BTF")
    # `struct list_head { struct list_head *next, *prev; }` since Linux 2.0.
    assert btf.member_offset(blobs, "list_head", "next") == 0
    assert btf.member_offset(blobs, "list_head", "prev") == 8
