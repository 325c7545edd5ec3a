"""Offsets of members in the kernel's structs, from its type information (BTF).

One struct is searched for, because parsing all of some hundred thousand types is slow.
https://docs.kernel.org/bpf/btf.html describes the format.
"""

import struct
from collections.abc import Iterable
from pathlib import Path

_HEADER = struct.Struct("<HBBIIIII")
_TYPE = struct.Struct("<III")
_MEMBER = struct.Struct("<III")
_MAGIC = struct.pack("<H", 0xEB9F)
_KIND_STRUCT = 4

KERNEL = "vmlinux"


class Types:
    """The types of the kernel and of one module, whose strings continue the kernel's."""

    def __init__(self, blobs: Iterable[bytes] = ()) -> None:
        """Take the contents of BTF files, the kernel's first."""
        self._types: list[tuple[bytes, int]] = []
        self._strings = b""
        for blob in blobs:
            _, _, _, header, types_at, types_len, strings_at, strings_len = _HEADER.unpack_from(
                blob
            )
            types = blob[header + types_at : header + types_at + types_len]
            self._types.append((types, len(self._strings)))
            self._strings += blob[header + strings_at : header + strings_at + strings_len]

    def offset(self, *path: tuple[str, str]) -> int | None:
        """Return the offset in bytes at the end of a path; None if it is not found.

        A step of the path is a struct and its member; the member is the struct of the next step.
        """
        total = 0
        for struct_name, member in path:
            offset = self._member_offset(struct_name, member)
            if offset is None:
                return None
            total += offset
        return total

    def _member_offset(self, struct_name: str, member: str) -> int | None:
        for types, strings_from in self._types:
            offset = self._search(types, strings_from, struct_name, member)
            if offset is not None:
                return offset
        return None

    def _search(self, types: bytes, strings_from: int, name: str, member: str) -> int | None:
        """Search for the type record of a struct, which begins with the offset of its name."""
        start = max(0, strings_from - 1)
        at_name = self._strings.find(b"\0" + name.encode() + b"\0", start) + 1
        if not at_name:
            return None
        needle = struct.pack("<I", at_name)
        position = types.find(needle)
        while position >= 0:
            if position % 4 == 0:
                offset = self._member_of(types, position, member)
                if offset is not None:
                    return offset
            position = types.find(needle, position + 1)
        return None

    def _member_of(self, types: bytes, offset: int, member: str) -> int | None:
        if offset + _TYPE.size > len(types):
            return None
        _, info, _ = _TYPE.unpack_from(types, offset)
        if (info >> 24) & 0x1F != _KIND_STRUCT:
            return None
        first, count = offset + _TYPE.size, info & 0xFFFF
        if first + count * _MEMBER.size > len(types):
            return None
        for name_at, _, bits in _MEMBER.iter_unpack(types[first : first + count * _MEMBER.size]):
            if self._string(name_at) == member.encode():
                return int(bits & 0xFFFFFF if info >> 31 else bits) // 8
        return None

    def _string(self, start: int) -> bytes:
        return self._strings[start : self._strings.find(b"\0", start)]


def types_of(module: str, root: Path = Path("/")) -> Types:
    """Return the types of the kernel and of this module, built in or not. Raises `OSError`."""
    return Types(filter(None, (_read(path(name, root)) for name in (KERNEL, module))))


def path(name: str = KERNEL, root: Path = Path("/")) -> Path:
    """Return the path of the types of the kernel or of a module."""
    return root / "sys/kernel/btf" / name


def _read(file: Path) -> bytes:
    """Return the bytes of a BTF file; none if it is missing or not BTF. Raises `OSError`."""
    try:
        blob = file.read_bytes()
    except FileNotFoundError:
        return b""
    return blob if len(blob) > _HEADER.size and blob.startswith(_MAGIC) else b""
