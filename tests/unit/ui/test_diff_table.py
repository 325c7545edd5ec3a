"""Comparisons on narrow and wide screens, and nothing in them but harmless text."""

import io
import re
from dataclasses import replace

import pytest
from hypothesis import given
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType

from bpfexit.model.diff import compare
from bpfexit.model.losses import Lost
from bpfexit.model.rows import NO_VCPU
from bpfexit.model.snapshot import Origin, Snapshot
from bpfexit.model.view import DIMENSIONS, Query
from bpfexit.names.reasons import Isa
from bpfexit.ui.diff_table import header, table
from tests.unit.builders import HOSTILE, Exits, pio, snapshot, snapshots

WIDTHS = (80, 100, 120, 160)
NAMES = ("before.jsonl", "after.jsonl")
PVM = Origin("host", "6.18.0", "kvm_pvm", has_exit_events=False)
EVIL = "[bold]\x1b[2J[/x]\n\r\u202e:smile:"
HARMLESS = "[bold]\\x1b[2J[/x]\\n\\r\\u202e:smile:"

BEFORE = snapshot(
    pio(0x608, ns=(5_000_000,) * 100, user_ns=(4_000_000,) * 100),
    pio(0x70, ns=(2_000,) * 50),
    Exits("CPUID", (900,) * 40),
    Exits("HLT", (10**8,) * 3),
    guest_ns=2 * 10**8,
)
AFTER = snapshot(
    pio(0x608, ns=(1_000_000,) * 100, user_ns=(4_000_000,) * 100),
    pio(0x71, ns=(2_000,) * 50),
    Exits("CPUID", (900,) * 41),
    Exits("HLT", (10**8,) * 5),
    guest_ns=6 * 10**8,
)


def rendered(what: RenderableType, width: int = 120) -> list[str]:
    """Print as into a pipe; console markup is on, so that only `Text` withstands it."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(what)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def shown(before: Snapshot, after: Snapshot, width: int = 120, **query: object) -> list[str]:
    by = query.pop("by", ("reason", "port"))
    asked = replace(Query(), by=by, **query)  # type: ignore[arg-type]
    return rendered(Group(*table(compare(before, after, asked), width)), width)


def line_of(lines: list[str], start: str) -> list[str]:
    (line,) = (line for line in lines if line.strip().startswith(start))
    return re.split(r"\s+", line.strip())


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("by", [("reason",), ("vm", "vcpu", "reason", "port"), DIMENSIONS])
def test_a_table_fits_and_cuts_no_number(by: tuple[str, ...], width: int) -> None:
    lines = shown(BEFORE, AFTER, width, by=by)
    assert all(cell_len(line) <= width for line in lines)
    numbers = [line[lines[0].index("time/s") :] for line in lines]
    assert not any("…" in line for line in numbers)


@pytest.mark.parametrize("width", WIDTHS)
def test_both_sides_the_time_and_the_verdict_are_there_at_any_width(width: int) -> None:
    cells = line_of(shown(BEFORE, AFTER, width), "0x0608 read")
    for cell in ("400ms", "100", "5.00ms", "1.00ms", "faster"):
        assert cell in cells
    assert ("x0.20" in cells) == (width >= 100)


def test_what_came_and_what_went_is_marked() -> None:
    lines = shown(BEFORE, AFTER)
    assert line_of(lines, "0x0070 read")[-1] == "vanished"
    assert line_of(lines, "0x0071 read")[-1] == "appeared"
    assert "-100µs" in line_of(lines, "0x0071 read")
    assert line_of(lines, "CPUID")[-1] == "noise"


def test_idle_time_has_a_rate_only() -> None:
    assert line_of(shown(BEFORE, AFTER), "HLT") == ["HLT", "3.0", "5.0", "x1.67"]


def test_a_limit_says_what_it_hides() -> None:
    lines = shown(BEFORE, AFTER, limit=2)
    assert lines[-2].startswith("4 more lines")
    assert lines[-1].startswith('"?": ')
    assert len(lines) == 2 + 2 + 2


def test_no_difference_and_nothing_are_said() -> None:
    assert shown(BEFORE, BEFORE) == ["no difference"]
    assert shown(snapshot(), snapshot()) == ["nothing to compare"]


def test_the_header_says_where_and_what_was_saved() -> None:
    lines = rendered(header(compare(BEFORE, AFTER, Query()), NAMES))
    assert lines[0].startswith("before  before.jsonl  ")
    assert lines[1].startswith("after   after.jsonl  ")
    assert "kvm_intel" in lines[0]
    assert lines[2] == "193 → 196 exits/s x1.02"
    assert lines[3] == "time in exits: 500ms → 100ms per second x0.20  400ms per second saved"
    assert lines[4].startswith("in the guest 200ms → 600ms, in user space 400ms → 400ms, idle 300")
    assert len(lines) == 5


def test_the_header_says_what_makes_the_two_less_comparable() -> None:
    other = replace(
        AFTER, origin=Origin("host", "6.19.0", "kvm_amd"), lost=Lost(map_full=7, unpaired=3)
    )
    text = "\n".join(rendered(header(compare(BEFORE, other, Query()), NAMES)))
    assert "different kernel, back end" in text
    assert "after: the counts are too small: map_full 7" in text
    assert "unpaired" not in text
    text = "\n".join(rendered(header(compare(BEFORE, snapshot(), Query()), NAMES)))
    assert "after: nothing was counted" in text


def test_without_exits_time_is_that_in_user_space() -> None:
    row = pio(0x608, isa=Isa.NONE, reason=None, no_latency=4, user_ns=(2500,) * 4)
    slower = replace(row, user_ns=(5000,) * 4)
    sides = snapshot(row, origin=PVM), snapshot(slower, origin=PVM)
    lines = shown(*sides, by=("port",))
    assert "in user" in lines[0]
    assert line_of(lines, "0x0608 read")[2:] == [
        "acpi-tmr?",
        "-10.0µs", "4.0", "4.0", "x1.00", "2.50µs", "5.00µs", "x2.00",
    ]  # fmt: skip
    text = "\n".join(rendered(header(compare(*sides, Query(("port",))), NAMES)))
    assert "4.0 → 4.0 accesses/s" in text
    assert "time in user space: 10.0µs → 20.0µs per second x2.00  10.0µs per second lost" in text
    assert "no latencies" in text


def test_hostile_names_are_harmless() -> None:
    evil = snapshot(pio(0x70, ns=(10,), vm=EVIL, vcpu=NO_VCPU), origin=Origin(EVIL, EVIL, EVIL))
    lines = shown(evil, snapshot(), 220, by=("vm", "vcpu", "port"))
    lines += rendered(header(compare(evil, evil, Query()), (EVIL, EVIL)), 400)
    assert sum(HARMLESS in line for line in lines) == 3
    assert all(line.isprintable() for line in lines)


@given(snapshots(), snapshots(), HOSTILE)
def test_anything_is_shown(before: Snapshot, after: Snapshot, name: str) -> None:
    found = compare(before, after, Query(DIMENSIONS))
    for width in (80, 120):
        lines = rendered(Group(*table(found, width)), width) + rendered(
            header(found, (name, name)), width
        )
        assert all(line.isprintable() and cell_len(line) <= width for line in lines)


def test_recordings_in_the_wrong_order_are_reported() -> None:
    later = replace(BEFORE, start=AFTER.start + 1)
    assert "are they swapped?" in "\n".join(rendered(header(compare(later, AFTER, Query()), NAMES)))
    ordered = replace(BEFORE, start=AFTER.start - 1)
    text = "\n".join(rendered(header(compare(ordered, AFTER, Query()), NAMES)))
    assert "swapped" not in text
