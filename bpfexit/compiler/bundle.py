"""The output of the compiler: instructions, the maps that they use, the layouts of structs.

The child that compiles imports this module, too, so it does not use numpy.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

VCPUS = "vcpus"
"""The map whose value instructions address directly: the loader makes it, not bcc."""

INSTRUCTION = struct.Struct("<BBhi")
"""Opcode; source register << 4 | destination register; offset; immediate value."""

_LOAD_64_BITS = 0x18
_MAP_FD, _MAP_VALUE = 1, 2
"""Source registers of a load of a map's descriptor, and of its value's address."""


@dataclass(frozen=True)
class Program:
    """Instructions for the kernel.

    `maps` has the index of each instruction that loads a map's descriptor or address, and the map's
    name. The descriptor itself, the immediate value, is 0 there.
    """

    instructions: bytes
    maps: Mapping[int, str]

    def linked(self, fds: Mapping[str, int]) -> bytes:
        """Return the instructions with the descriptors of the maps, by name."""
        return with_values(
            self.instructions, {index: fds[name] for index, name in self.maps.items()}
        )


@dataclass(frozen=True)
class MapDefinition:
    """A map's definition; sizes in bytes."""

    kind: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int


@dataclass(frozen=True)
class Field:
    """A member of a struct: `count` numbers of a format such as `u8`, at an offset in bytes."""

    offset: int
    format: str
    count: int


@dataclass(frozen=True)
class Layout:
    """A struct: its size in bytes and its members by name."""

    size: int
    fields: Mapping[str, Field]


@dataclass(frozen=True)
class Bundle:
    """Everything that loading needs: programs, maps and layouts by name, and the version of bcc."""

    bcc: str
    programs: Mapping[str, Program]
    maps: Mapping[str, MapDefinition]
    layouts: Mapping[str, Layout]


def loads_of_maps(instructions: bytes) -> Iterator[tuple[int, bool, int]]:
    """Yield the loads of maps: index of the instruction, whether of the value, descriptor."""
    for number, (opcode, registers, _, value) in enumerate(INSTRUCTION.iter_unpack(instructions)):
        source = registers >> 4
        if opcode == _LOAD_64_BITS and source in (_MAP_FD, _MAP_VALUE):
            yield number, source == _MAP_VALUE, value


def with_values(instructions: bytes, values: Mapping[int, int]) -> bytes:
    """Return the instructions with other immediate values, by index."""
    code = bytearray(instructions)
    for number, value in values.items():
        start = number * INSTRUCTION.size
        opcode, registers, offset, _ = INSTRUCTION.unpack_from(code, start)
        INSTRUCTION.pack_into(code, start, opcode, registers, offset, value)
    return bytes(code)
