"""Symbols of a guest's kernel: a `System.map`, a copy of its `/proc/kallsyms`, or a `vmlinux`.

The files are a guest owner's: their size is bounded, and their names are not trusted.
"""

import mmap
import re
import struct
from collections.abc import Iterator
from pathlib import Path

from bpfexit.errors import BpfexitError, UsageError
from bpfexit.model.symbols import GuestSymbols, SymbolTable

_LARGEST_TEXT = 64 << 20
_MOST_SYMBOLS = 4 << 20
_LINE = re.compile(r"([0-9a-f]{1,16}) ([a-zA-Z?]) (\S{1,512})(?:\t\[(\S{1,64})\])?", re.ASCII)
_CODE = "tTwW"
"""Types of symbols that are code; weak ones as well."""

_OPTION = re.compile(r"(?P<guest>[^=]+)=(?P<file>.+?)(?:\+(?P<offset>0x[0-9a-fA-F]+|[0-9]+))?")

_ELF = b"\x7fELF\x02\x01"
_HEADER = struct.Struct("<16xHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_SYMBOL_TABLE, _FUNCTION = 2, 2


def read_options(values: tuple[str, ...]) -> GuestSymbols:
    """Read `GUEST=FILE[+OFFSET]` each. Raises `UsageError` and `BpfexitError`."""
    tables = {}
    for value in values:
        match = _OPTION.fullmatch(value)
        if match is None:
            raise UsageError(f"--guest-symbols {value!r}: expected GUEST=FILE or GUEST=FILE+OFFSET")
        offset = int(match["offset"] or "0", 0)
        tables[match["guest"]] = SymbolTable(read_symbols(Path(match["file"])), offset)
    return GuestSymbols(tables)


def read_symbols(path: Path) -> list[tuple[int, str]]:
    """Return the addresses and names of a file's functions. Raises `BpfexitError`."""
    try:
        with path.open("rb") as file:
            is_elf = file.read(len(_ELF)) == _ELF
        symbols = _of_elf(path) if is_elf else list(_of_text(path))
    except OSError as error:
        raise BpfexitError(f"cannot read {path}: {error.strerror}") from None
    except (struct.error, ValueError, IndexError):
        raise BpfexitError(f"{path} is not a valid ELF file of 64 bits") from None
    if not symbols:
        raise BpfexitError(
            f"{path} has no symbols of code: expected System.map, kallsyms or vmlinux"
        )
    if not any(address for address, _ in symbols):
        raise BpfexitError(
            f"all addresses in {path} are 0: copy /proc/kallsyms as root in the guest"
        )
    return symbols


def _of_text(path: Path) -> Iterator[tuple[int, str]]:
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file.read(_LARGEST_TEXT).splitlines():
            match = _LINE.fullmatch(line)
            if match and match[2] in _CODE:
                yield int(match[1], 16), f"{match[3]} [{match[4]}]" if match[4] else match[3]


def _of_elf(path: Path) -> list[tuple[int, str]]:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as image:
        fields = _HEADER.unpack_from(image)
        start, size, number = fields[5], fields[10], fields[11]
        sections = [_SECTION.unpack_from(image, start + size * index) for index in range(number)]
        tables = [section for section in sections if section[1] == _SYMBOL_TABLE]
        return [each for table in tables for each in _functions(image, table, sections[table[6]])]


def _functions(
    image: mmap.mmap, table: tuple[int, ...], strings: tuple[int, ...]
) -> Iterator[tuple[int, str]]:
    """Yield the functions of a symbol table; a section is (…, offset, size, link, …)."""
    offset, size = table[4], min(table[5], _MOST_SYMBOLS * _SYMBOL.size)
    for name, info, _, _, value, _ in _SYMBOL.iter_unpack(image[offset : offset + size]):
        if info & 0xF == _FUNCTION:
            begin = strings[4] + name
            yield value, image[begin : image.find(b"\0", begin)].decode(errors="replace")
