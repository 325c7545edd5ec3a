"""Symbols of guests' kernels: read from their files, and found by address."""

import struct
from pathlib import Path

import pytest

from bpfexit.errors import BpfexitError, UsageError
from bpfexit.events.rip import RIP
from bpfexit.guests.symbol_files import read_options, read_symbols
from bpfexit.model.symbols import SymbolTable
from bpfexit.model.view import Query, view
from tests.unit.builders import Exits, snapshot

KALLSYMS = """ffffffff81000000 T _stext
ffffffff81000010 t secondary_startup
ffffffff82000000 D some_data
ffffffffc0001000 t ipv6_rcv\t[ipv6]
not a line
"""


def elf(functions: dict[str, int]) -> bytes:
    """Return an ELF file with a symbol table of these functions and nothing else."""
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in functions)
    symbols, at = b"", 1
    for name, address in functions.items():
        symbols += struct.pack("<IBBHQQ", at, 0x12, 0, 1, address, 16)
        at += len(name) + 1
    symbols += struct.pack("<IBBHQQ", 1, 0x11, 0, 1, 0xDA7A, 16)  # an object: data
    start = 64 + len(strings) + len(symbols)
    header = b"\x7fELF\x02\x01".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 2, 62, 1, 0, 0, start, 0, 64, 0, 0, 64, 3, 0
    )
    section = "<IIQQQQIIQQ"
    sections = struct.pack(section, *[0] * 10)
    sections += struct.pack(section, 0, 2, 0, 0, 64 + len(strings), len(symbols), 2, 0, 8, 24)
    sections += struct.pack(section, 0, 3, 0, 0, 64, len(strings), 0, 0, 1, 0)
    return header + strings + symbols + sections


def test_a_map_has_its_code_alone(tmp_path: Path) -> None:
    (tmp_path / "map").write_text(KALLSYMS)
    assert read_symbols(tmp_path / "map") == [
        (0xFFFFFFFF81000000, "_stext"),
        (0xFFFFFFFF81000010, "secondary_startup"),
        (0xFFFFFFFFC0001000, "ipv6_rcv [ipv6]"),
    ]


def test_a_vmlinux_has_its_functions_alone(tmp_path: Path) -> None:
    (tmp_path / "vmlinux").write_bytes(elf({"start_kernel": 0x1000, "do_idle": 0x2000}))
    found = read_symbols(tmp_path / "vmlinux")
    assert found == [(0x1000, "start_kernel"), (0x2000, "do_idle")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no symbols of code"),
        (b"0000000000000000 T _stext\n", "are 0"),
        (b"\x7fELF\x02\x01", "not a valid ELF file"),
        (elf({"f": 1})[:-70], "not a valid ELF file"),
    ],
)
def test_what_is_no_such_file_is_one_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(BpfexitError, match=said):
        read_symbols(tmp_path / "file")


def test_an_address_is_named_by_the_symbol_before_it() -> None:
    table = SymbolTable([(0x1000, "first"), (0x2000, "second")], offset=0x500)
    assert table.name(0x1500) == "first"
    assert table.name(0x24FF) == "first+0xfff"
    assert table.name(0x2500) == "second"
    assert table.name(0x14FF) is None
    assert table.name(0x2500 + (1 << 20)) is None


def test_instructions_are_named_in_the_guest_that_has_the_symbols(tmp_path: Path) -> None:
    (tmp_path / "map").write_text("1000 T halt\n")
    symbols = read_options((f"alpha={tmp_path}/map+0x10",))
    exits = [
        Exits("HLT", ns=(10,), kind=RIP, address=0x1014, vm=vm, pid=pid, tid=pid)
        for vm, pid in (("alpha", 100), ("beta", 200))
    ]
    query = Query(("vm", "rip"), "name", symbols=symbols)
    lines = [line for line in view(snapshot(*exits), query).lines if line.depth]
    assert [line.name.marked if line.name else None for line in lines] == ["halt+0x4", None]


@pytest.mark.parametrize("value", ["", "guest", "=file"])
def test_an_option_without_a_guest_or_a_file_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match="expected GUEST=FILE"):
        read_options((value,))
