"""Instructions get the descriptors of the maps that they load, and are else as they were."""

import struct

from bpfexit.compiler.bundle import VCPUS, Program, loads_of_maps, with_values
from bpfexit.compiler.handover import unlinked

LOAD_MAP, LOAD_VALUE, LOAD_NUMBER, SECOND, STORE = 0x11, 0x21, 0x01, 0x00, 0x7B
FD = 5


def instructions(*lines: tuple[int, int, int]) -> bytes:
    """Return instructions from registers, offset and value; 64-bit loads, except second halves."""
    opcodes = {LOAD_MAP: 0x18, LOAD_VALUE: 0x18, LOAD_NUMBER: 0x18, SECOND: 0, STORE: 0x7B}
    return b"".join(struct.pack("<BBhi", opcodes[each[0]], *each) for each in lines)


CODE = instructions(
    (LOAD_MAP, 0, FD),
    (SECOND, 0, 0),
    (LOAD_NUMBER, 0, FD),
    (SECOND, 0, 1),
    (LOAD_VALUE, 0, 0),
    (SECOND, 0, 4096),
    (STORE, -8, -3),
)


def test_only_loads_of_maps_are_found() -> None:
    assert list(loads_of_maps(CODE)) == [(0, False, FD), (4, True, 0)]


def test_other_values_change_nothing_else() -> None:
    changed = with_values(CODE, {0: 42, 6: -1})
    assert changed == CODE[:4] + struct.pack("<i", 42) + CODE[8:-4] + struct.pack("<i", -1)
    assert with_values(changed, {0: FD, 6: -3}) == CODE


def test_maps_are_known_by_name_and_no_descriptor_of_the_compiler_is_left() -> None:
    program = unlinked(CODE, {FD: "rows"})
    assert program.maps == {0: "rows", 4: VCPUS}
    assert program.instructions == with_values(CODE, {0: 0})


def test_a_linked_program_has_the_descriptors_of_the_loader() -> None:
    linked = unlinked(CODE, {FD: "rows"}).linked({"rows": 7, VCPUS: 8, "other": 9})
    assert linked == with_values(CODE, {0: 7, 4: 8})


def test_a_program_without_maps_is_loaded_as_it_is() -> None:
    code = instructions((STORE, 0, 0))
    assert unlinked(code, {}) == Program(code, {})
    assert Program(code, {}).linked({}) == code
