"""Tables on a narrow and a wide screen, and nothing in them but harmless text."""

from dataclasses import replace
from math import isnan

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from bpfexit.events.access import Access
from bpfexit.events.kind import Kind
from bpfexit.events.mmio import MMIO
from bpfexit.events.msr import MSR
from bpfexit.events.pio import PIO
from bpfexit.events.region import Region
from bpfexit.model.columns import BY_KEY, COLUMNS, ON_REQUEST, SORT_KEYS
from bpfexit.model.guest import Guest, NameSource
from bpfexit.model.snapshot import Origin, Snapshot
from bpfexit.model.view import DIMENSIONS, Query, view
from bpfexit.ui.header import header
from bpfexit.ui.labels import address
from bpfexit.ui.tables import NO_GUESTS, table
from tests.unit.builders import HOSTILE, Exits, pio, snapshot, snapshots
from tests.unit.ui.shown import EVIL, HARMLESS, WIDTHS, host, pvm, rendered, shown


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("by", [("reason",), ("vm", "vcpu", "reason", "port"), DIMENSIONS])
def test_a_table_has_a_line_for_each_and_fits(by: tuple[str, ...], width: int) -> None:
    lines = shown(host(), Query(by), width)
    assert len(lines) == 1 + len(view(host(), Query(by)).lines)
    assert all(cell_len(line) <= width for line in lines)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_columns_have_their_titles_and_the_order_its_mark(width: int) -> None:
    head = shown(host(), Query(("reason",), "p99"), width)[0]
    shown_here = [each for each in COLUMNS if each.key not in ON_REQUEST]
    expected = [column.title for column in shown_here if width >= column.min_width]
    assert [title for title in expected if title in head] == expected
    assert head.count("▼") == 1
    assert "▼p99" in head


@pytest.mark.parametrize("sort", ["p50", "max", "count"])
def test_the_column_that_orders_is_there_on_any_screen(sort: str) -> None:
    assert "▼" + BY_KEY[sort].title in shown(host(), Query(("reason",), sort), 80)[0]


def test_exits_of_chosen_reasons_have_no_share_of_the_time() -> None:
    some = replace(host(), only=("io",))
    (line,) = (line for line in rendered(header(some)) if line.startswith("time:"))
    assert "per second in exits of io alone" in line
    assert "%" not in line


def test_a_line_says_what_was_measured() -> None:
    (line,) = (line for line in shown(host(), Query()) if "IO_INSTRUCTION" in line)
    for text in ("4.00µs", "5.00µs", "50.0", "2.00µs"):
        assert text in line


def test_waiting_is_a_part_of_the_time_of_exits_and_of_that_in_user_space() -> None:
    head, *lines = shown(host(), Query(("reason",)), 199)
    (line,) = (line for line in lines if "IO_INSTRUCTION" in line)
    assert head.split()[-8:] == ["max", "wait%", "waiting", "user%", "user", "wait%", "in", "user"]
    assert line.split()[-6:] == ["5.00µs", "20.0", "800ns", "50.0", "30.0", "2.00µs"]


def test_waiting_that_was_not_measured_is_unknown() -> None:
    (line,) = view(snapshot(pio(0x70, ns=(3000,), user_ns=(2000,))), Query(("reason",))).lines
    assert all(isnan(line.numbers[name]) for name in ("wait", "wait_mean", "user_wait"))


def test_the_parts_of_the_time_in_user_space_add_up() -> None:
    parts = {"user_wait_ns": 600, "user_blocked_ns": 1100}
    row = pio(0x70, ns=(3000,), user_ns=(2000,), wait_ns=600, blocked_ns=1200, **parts)
    head, *lines = shown(snapshot(row), Query(("reason",)), 200)
    words = "blocked% blocking user% user wait% user blocked% user CPU% in user"
    assert words in " ".join(head.split())
    assert lines[0].split()[12:19] == ["40.0", "1.20µs", "100.0", "30.0", "55.0", "15.0", "2.00µs"]


def test_blocked_time_that_was_not_measured_has_no_column() -> None:
    head, *_ = shown(host(), Query(("reason",)), 500)
    assert "blocked" not in head
    assert "stddev" in head


def test_addresses_stand_indented_under_their_reason() -> None:
    lines = shown(host(), Query())
    at = next(at for at, line in enumerate(lines) if line.startswith("IO_INSTRUCTION"))
    assert lines[at + 1].startswith("  0x0070 read")


def test_addresses_without_a_group_are_not_indented() -> None:
    assert shown(host(), Query(("port",)))[1].startswith("0x0070 read")


@pytest.mark.parametrize(
    ("kind", "number", "text"),
    [
        (PIO, 0x70, "0x0070 write"),
        (MMIO, 0xFEE000B0, "0xfee000b0 write"),
        (MMIO, 2**64 - 1, "0xffffffffffffffff write"),
        (MSR, 0x6E0, "msr 0x000006e0 write"),
    ],
)
def test_an_address_is_written_by_its_kind(kind: Kind, number: int, text: str) -> None:
    assert address(kind, number, Access.WRITE) == text


@pytest.mark.parametrize("sort", SORT_KEYS)
def test_what_is_not_known_is_blank(sort: str) -> None:
    lines = shown(pvm(), Query(("port",), sort), 300)
    assert "nan" not in "".join(lines)
    assert "2.50µs" in lines[1]
    head, line = (each.split() for each in lines)
    assert len(line) < len(head)


def test_idle_has_no_share_of_the_time() -> None:
    (line,) = (line for line in shown(host(), Query(("reason",))) if line.startswith("HLT"))
    assert line.split() == ["HLT", "1", "1.0", "1.00s", "1.00s", "1.00s", "1.00s"]


def test_hidden_lines_are_counted() -> None:
    hidden = view(host(), Query(limit=2)).hidden
    assert hidden > 0
    assert shown(host(), Query(limit=2))[-1].startswith(f"{hidden} more lines")


def test_nothing_to_show_is_said() -> None:
    assert len(shown(snapshot(), Query())) == 2
    assert "no exits" in shown(snapshot(), Query())[-1]


def test_a_vcpu_whose_number_is_not_known_is_named_by_its_thread() -> None:
    lines = shown(snapshot(Exits("HLT", (1,), vcpu=-1, tid=4711)), Query(("vcpu",)))
    assert "tid 4711" in lines[1]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_hostile_name_is_shown_as_text(width: int) -> None:
    of = snapshot(Exits(EVIL, (5,), vm=EVIL), origin=Origin(EVIL, "6", EVIL, has_exit_events=False))
    lines = shown(of, Query(("vm", "reason")), width)
    assert len(lines) == 2
    assert HARMLESS[:8] in lines[1]
    assert all(line.isprintable() for line in lines)
    assert all(line.isprintable() for line in rendered(header(of, EVIL), width))
    wide = rendered(table(view(of, Query(("vm",))), 300), 300)
    assert HARMLESS in wide[1]


@given(HOSTILE, st.sampled_from(WIDTHS))
@example("\ud800\udfff", 80)
@example("[link=file:///]x[/link]", 80)
@example("ﷺ\u0301\u200d" * 9, 80)
def test_no_name_gets_out_of_its_line(name: str, width: int) -> None:
    of = snapshot(Exits(name, (5,), vm=name), origin=Origin(name, name, name, has_exit_events=True))
    for lines in (shown(of, Query(("vm", "reason")), width), rendered(header(of, name), width)):
        assert all(line.isprintable() for line in lines)
    assert len(shown(of, Query(("vm", "reason")), width)) == 2


@given(snapshots(), st.lists(st.sampled_from(DIMENSIONS), min_size=1, unique=True))
def test_any_snapshot_can_be_shown(of: Snapshot, by: list[str]) -> None:
    for width in WIDTHS:
        assert rendered(header(of), width)
        assert shown(of, Query(tuple(by)), width)


def test_guests_of_one_name_are_told_apart_by_their_process() -> None:
    twins = snapshot(pio(0x70, ns=(10,), pid=4), pio(0x70, ns=(10,), pid=5), Exits(vm="b", ns=(1,)))
    lines = "\n".join(shown(twins, Query(("vm",))))
    assert "alpha (4)" in lines
    assert "alpha (5)" in lines
    assert "b (" not in lines


OWN = Guest(
    100,
    "alpha",
    regions=(Region(PIO, 0x70, 0x70, EVIL), Region(PIO, 0x608, 0x60B, "acpi-tmr")),
    mapped_by=NameSource.QMP,
)


def test_a_name_stands_beside_its_number_and_a_guess_is_marked() -> None:
    lines = rendered(table(view(host(), Query()), 120), 120)
    assert any(line.startswith("  0x0070 read rtc-index?") for line in lines)
    assert any(line.startswith("  0xfee000b0 write apic EOI?") for line in lines)
    assert any(line.startswith("  msr 0xc0000080 write EFER ") for line in lines)
    assert lines[-1].startswith('"?": guessed from the standard PC layout')


def test_a_name_of_the_guests_own_map_is_none_and_whose_it_is_is_said() -> None:
    of = replace(snapshot(pio(0x608, ns=(5,))), guests=(OWN,))
    lines = rendered(table(view(of, Query(("port",))), 80), 80)
    assert lines[1].startswith("0x0608 read acpi-tmr ")
    assert lines[-1] == "named by qmp"


def test_on_a_narrow_screen_the_number_comes_first() -> None:
    of = replace(host(), guests=())
    lines = rendered(table(view(of, Query()), 80), 80)
    assert any(line.startswith("  0xfee000b0 write a") for line in lines)
    assert all(cell_len(line) <= 80 for line in lines)


def test_a_hostile_region_is_shown_as_text() -> None:
    of = replace(snapshot(pio(0x70, ns=(5,))), guests=(OWN,))
    lines = rendered(table(view(of, Query(("port",))), 120), 120)
    assert HARMLESS in lines[1]
    assert all(line.isprintable() for line in lines)


def test_a_view_without_names_says_nothing_of_them() -> None:
    lines = rendered(table(view(host(), Query(("reason",))), 120), 120)
    assert len(lines) == 1 + len(view(host(), Query(("reason",))).lines)


def test_an_empty_table_tells_why() -> None:
    empty = view(snapshot(), Query())
    assert rendered(table(empty, 80))[-1] == "no exits to show"
    assert rendered(table(empty, 80, empty=NO_GUESTS))[-1].startswith("No KVM guest is running")
