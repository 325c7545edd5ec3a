"""Where a member lies in a kernel struct, from the kernel's own type information (BTF).

A search for one struct, instead of a walk over all of some hundred thousand
types: https://docs.kernel.org/bpf/btf.html describes the format.
"""

import struct
from pathlib import Path

_HEADER = struct.Struct("<HBBIIIII")
_TYPE = struct.Struct("<III")
_MEMBER = struct.Struct("<III")
_MAGIC = 0xEB9F
_KIND_STRUCT = 4


def paths(root: Path = Path("/")) -> list[Path]:
    """Return where KVM's types may be: built into the kernel, or in its module."""
    return [root / "sys/kernel/btf" / name for name in ("vmlinux", "kvm")]


def member_offset(blobs: list[bytes], struct_name: str, member: str) -> int | None:
    """Return the offset in bytes of a struct's member; None when it is not found.

    `blobs` are the kernel's types first, then modules': a module's strings and
    types continue the kernel's.
    """
    strings = b""
    for blob in blobs:
        _, _, _, header, types_at, types_len, strings_at, strings_len = _HEADER.unpack_from(blob)
        types = blob[header + types_at : header + types_at + types_len]
        base = len(strings)
        strings += blob[header + strings_at : header + strings_at + strings_len]
        offset = _search(types, strings, base, struct_name, member)
        if offset is not None:
            return offset
    return None


def read(path: Path) -> bytes:
    """Return a BTF file's bytes; none when it is missing or not BTF. Raises `OSError`."""
    try:
        blob = path.read_bytes()
    except FileNotFoundError:
        return b""
    return blob if len(blob) > _HEADER.size and blob[:2] == struct.pack("<H", _MAGIC) else b""


def _search(types: bytes, strings: bytes, base: int, name: str, member: str) -> int | None:
    """Look for a struct type record by its name's offset, at each place it may be."""
    at_name = strings.find(b"\0" + name.encode() + b"\0", max(0, base - 1)) + 1
    if not at_name:
        return None
    needle = struct.pack("<I", at_name)
    place = types.find(needle)
    while place >= 0:
        if place % 4 == 0:
            offset = _member_of(types, place, strings, member)
            if offset is not None:
                return offset
        place = types.find(needle, place + 1)
    return None


def _member_of(types: bytes, place: int, strings: bytes, member: str) -> int | None:
    if place + _TYPE.size > len(types):
        return None
    _, info, _ = _TYPE.unpack_from(types, place)
    if (info >> 24) & 0x1F != _KIND_STRUCT:
        return None
    first, count = place + _TYPE.size, info & 0xFFFF
    if first + count * _MEMBER.size > len(types):
        return None
    for name_at, _, bits in _MEMBER.iter_unpack(types[first : first + count * _MEMBER.size]):
        if strings[name_at : strings.find(b"\0", name_at)] == member.encode():
            return int(bits & 0xFFFFFF if info >> 31 else bits) // 8
    return None
