"""Mixes: parsing, refusals, and the split of exits into rounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.errors import UsageError
from bpfexit.testguest.mix import (
    ENDLESS,
    MIXES,
    OPERATIONS,
    SMOOTH_ROUND,
    Mix,
    Step,
    parse_mix,
    total,
    work_of,
)


def plain(mix: Mix) -> list[tuple[str, int | None, int]]:
    return [(step.operation.name, step.address, step.weight) for step in mix]


def test_steps_keep_their_order_addresses_and_weights() -> None:
    text = "pio-read-user@0x70=5, pio-read-user=3,mmio-write-user@3221225472,cpuid=0x10"
    assert plain(parse_mix(text)) == [
        ("pio-read-user", 0x70, 5),
        ("pio-read-user", 0x608, 3),
        ("mmio-write-user", 0xC0000000, 1),
        ("cpuid", None, 16),
    ]


def test_the_clock_mix_is_the_seed_case() -> None:
    assert plain(parse_mix("clock")) == [
        ("pio-read-user", 0x608, 1000),
        ("pio-write-user", 0xC050, 1),
        ("apic-read", 0xFEE00030, 20),
    ]


def test_the_mix_of_all_has_every_operation_once() -> None:
    assert [name for name, _, weight in plain(parse_mix("all")) if weight == 1] == list(OPERATIONS)


@pytest.mark.parametrize("name", MIXES)
def test_every_named_mix_parses(name: str) -> None:
    assert total(parse_mix(name)) > 0


def test_an_instruction_names_the_address_of_its_step() -> None:
    assert parse_mix("pio-write-user@0x80")[0].instruction == "out 0x80, ax"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pio-raed-user=1", "did you mean pio-read-user"),
        ("clok", "did you mean clock"),
        ("xyzzy", "--list"),
        ("clock@0x70", "clock is a mix"),
        ("pio-read-user,clock", "clock is a mix"),
        ("", "--list"),
        ("cpuid=0", "between 1 and"),
        ("cpuid=-3", "between 1 and"),
        ("cpuid=4294967296", "between 1 and"),
        ("cpuid=many", "not a number"),
        ("pio-read-user@port=1", "not a number"),
        ("cpuid@7=1", "takes no address"),
        ("pio-read-kernel@0x40=1", "takes no address"),
        ("msr-read@0x10=1", "takes no address"),
        ("pio-read-user@-1=1", "beyond 0xffff"),
        ("pio-read-user@0xfffd=1", "beyond 0xffff"),
        ("mmio-read-user@0x100000000=1", "beyond 0xffffffff"),
        ("pio-write-user@0x20=1", "is reserved"),
        ("pio-read-user@0x1e=1", "is reserved"),
        ("pio-write-user@0xf4=1", "is reserved"),
        ("mmio-read-user@0x1000=1", "is reserved"),
        ("mmio-read-user@0xfec00000=1", "is reserved"),
        ("mmio-write-user@0xfee00300=1", "is reserved"),
        ("mmio-read-user@0xfffbd000=1", "is reserved"),
        ("mmio-read-user@0xd0000002=1", "multiple of 4"),
    ],
)
def test_a_bad_mix_is_refused_with_the_reason(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_mix(text)


def test_neighbours_of_a_taken_port_are_free() -> None:
    assert [step.address for step in parse_mix("pio-read-user@0x1c,pio-read-user@0x22")] == [
        0x1C,
        0x22,
    ]


def test_the_rest_is_taken_in_the_order_of_the_mix() -> None:
    work = work_of(parse_mix("cpuid=3,hlt=4,msr-read=5"), 12 * 7 + 5)
    assert (work.rounds, work.rest) == (7, (3, 2, 0))


@given(
    weights=st.lists(st.integers(1, 50), min_size=1, max_size=6),
    exits=st.integers(1, 10_000_000_000),
)
def test_rounds_and_rest_make_exactly_the_exits(weights: list[int], exits: int) -> None:
    mix = tuple(Step(OPERATIONS["cpuid"], None, weight) for weight in weights)
    work = work_of(mix, exits)
    assert work.rounds * total(work.mix) + sum(work.rest) == exits
    assert sum(work.rest) < total(work.mix)


def test_one_step_alone_gets_a_long_round_whatever_its_weight() -> None:
    assert work_of(parse_mix("cpuid=3"), None).mix[0].weight == SMOOTH_ROUND


def test_no_number_of_exits_means_no_end() -> None:
    work = work_of(parse_mix("cpuid=3,hlt=1"), None)
    assert (work.rounds, work.rest) == (ENDLESS, (0, 0))
