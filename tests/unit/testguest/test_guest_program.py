"""The guest's machine code, held against bytes that a disassembler has confirmed."""

import struct

import pytest

from bpfexit.testguest import program as layout
from bpfexit.testguest.mix import MAX_WEIGHT, OPERATIONS, Step, Work, parse_mix, work_of
from bpfexit.testguest.program import assemble


def test_the_loop_of_one_operation_is_tight() -> None:
    image = assemble(work_of(parse_mix("pio"), None), 0).image
    loop = (
        "be 00010000"  # mov esi, 256
        "e4 21"  # again: in al, 0x21
        "83 05 00100000 01"  # add dword [0x1000], 1
        "83 15 04100000 00"  # adc dword [0x1004], 0
        "4e 75 ed"  # dec esi; jnz again
    )
    assert image.count(bytes.fromhex(loop)) == 1


def test_the_same_program_elsewhere_uses_memory_of_its_own() -> None:
    work = work_of(parse_mix("pio"), None)
    here, there = assemble(work, 0), assemble(work, 0x5000)
    assert there.entry - here.entry == 0x5000
    assert bytes.fromhex("83 05 00600000 01") in there.image
    assert bytes.fromhex("83 05 00100000 01") not in there.image


def test_code_shares_no_page_with_what_the_guest_writes() -> None:
    program = assemble(work_of(parse_mix("all"), None), 0)
    assert layout.COUNTERS + 8 * len(program.steps) <= program.entry // layout.PAGE * layout.PAGE


@pytest.mark.parametrize("steps", [1, 512, 513])
def test_an_image_is_whole_pages(steps: int) -> None:
    mix = ",".join(["cpuid"] * steps)
    assert len(assemble(work_of(parse_mix(mix), 7), 0x3000).image) % layout.PAGE == 0


def test_the_rounds_lie_where_the_guest_counts_them_down() -> None:
    work = Work(parse_mix("cpuid=2,hlt=1"), 0x1_2345_6789, (1, 0))
    image = assemble(work, 0).image
    assert struct.unpack_from("<Q", image, layout.ROUNDS) == (0x1_2345_6789,)


def test_the_gate_of_the_wake_up_leads_into_the_code() -> None:
    program = assemble(work_of(parse_mix("hlt"), 1), 0x3000)
    gate = layout.IDT + 8 * layout.WAKE_VECTOR
    low, selector, kind, high = struct.unpack_from("<4H", program.image, gate)
    handler = (high << 16 | low) - program.base
    assert (selector, kind) == (layout.CODE_SELECTOR, 0x8E00)
    assert program.image[handler:].startswith(bytes.fromhex("c7 05 b000e0fe 00000000"))


def test_pauses_are_made_only_when_asked_for() -> None:
    work = work_of(parse_mix("pio"), None)
    countdown = bytes.fromhex("4d 75 05 e8")  # dec ebp; jnz +5; call pause
    assert countdown not in assemble(work, 0).image
    assert countdown in assemble(work, 0, 10).image


def test_a_pause_is_called_at_its_address() -> None:
    image = assemble(work_of(parse_mix("pio"), None), 0, 10).image
    call = image.index(bytes.fromhex("4d 75 05 e8")) + 3
    pause = call + 5 + struct.unpack_from("<i", image, call + 1)[0]
    # mov ebp, 10; mov al, PAUSE; out 0xf4, al
    assert image[pause:].startswith(bytes.fromhex("bd 0a000000 b0 00 e6 f4"))


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_can_be_assembled_at_every_weight(name: str) -> None:
    operation = OPERATIONS[name]
    step = Step(operation, operation.address, MAX_WEIGHT)
    image = assemble(Work((step,), 1, (MAX_WEIGHT,)), 0, MAX_WEIGHT).image
    assert image.count(b"\xbe\xff\xff\xff\xff") == 2  # the round's loop and the rest's


def test_counters_are_read_as_64_bits() -> None:
    program = assemble(work_of(parse_mix("cpuid,hlt"), 2), 0)
    memory = bytearray(program.image)
    struct.pack_into("<2Q", memory, layout.COUNTERS, 5_000_000_000, 7)
    assert program.counters(bytes(memory)) == [5_000_000_000, 7]


def test_a_halt_lasts_as_long_as_asked_for() -> None:
    image = assemble(work_of(parse_mix("hlt"), 1), 0, halt_ns=0x1234567).image
    assert bytes.fromhex("c7 05 8003e0fe 67452301 fb f4 fa") in image
