"""Tables on a narrow and a wide screen, and nothing in them but harmless text."""

import io
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console, RenderableType

from bpfexit.events.access import Access
from bpfexit.events.kind import Kind
from bpfexit.events.mmio import MMIO
from bpfexit.events.msr import MSR
from bpfexit.events.pio import PIO
from bpfexit.events.region import Region
from bpfexit.model.columns import BY_KEY, COLUMNS, SORT_KEYS
from bpfexit.model.guest import Guest, NameSource
from bpfexit.model.losses import LOSSES, NOT_COUNTED, Lost
from bpfexit.model.snapshot import Origin, Snapshot
from bpfexit.model.view import DIMENSIONS, Query, view
from bpfexit.names.reasons import Isa
from bpfexit.ui.header import header
from bpfexit.ui.labels import address
from bpfexit.ui.tables import NO_GUESTS, table
from tests.unit.builders import HOSTILE, Exits, pio, snapshot, snapshots

WIDTHS = (80, 120)
PVM = Origin("host", "6.18.0", "kvm_pvm", has_exit_events=False)
EVIL = "[bold]\x1b[2J[/x]\n\r\u202e:smile:"
LEGENDS = ('"?": ', "named by ")
HARMLESS = "[bold]\\x1b[2J[/x]\\n\\r\\u202e:smile:"


def host() -> Snapshot:
    return snapshot(
        Exits("HLT", (10**9,)),
        pio(0x70, ns=(3000, 5000), user_ns=(2000,)),
        Exits("EPT_MISCONFIG", (9000,), kind=MMIO, access=Access.WRITE, address=0xFEE000B0),
        Exits("MSR_WRITE", (700,), kind=MSR, access=Access.WRITE, address=0xC0000080),
        guest_ns=10**9,
    )


def pvm() -> Snapshot:
    row = pio(0x608, isa=Isa.NONE, reason=None, no_latency=4, user_ns=(2500,))
    return snapshot(row, origin=PVM)


def rendered(what: RenderableType, width: int = 120) -> list[str]:
    """Print as into a pipe; console markup is on, so that only `Text` withstands it."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(what)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def shown(of: Snapshot, query: Query, width: int = 120) -> list[str]:
    """Return the lines of the table, without the last one if that says who gave the names."""
    lines = rendered(table(view(of, query), width), width)
    return lines[:-1] if lines[-1].startswith(LEGENDS) else lines


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("by", [("reason",), ("vm", "vcpu", "reason", "port"), DIMENSIONS])
def test_a_table_has_a_line_for_each_and_fits(by: tuple[str, ...], width: int) -> None:
    lines = shown(host(), Query(by), width)
    assert len(lines) == 1 + len(view(host(), Query(by)).lines)
    assert all(cell_len(line) <= width for line in lines)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_columns_have_their_titles_and_the_order_its_mark(width: int) -> None:
    head = shown(host(), Query(("reason",), "p99"), width)[0]
    expected = [column.title for column in COLUMNS if width >= column.min_width]
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
    lines = shown(pvm(), Query(("port",), sort))
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


@pytest.mark.parametrize("width", WIDTHS)
def test_the_header_says_where_how_much_and_what_is_lost(width: int) -> None:
    lines = rendered(header(replace(host(), duration_s=2.0), "all"), width)
    assert lines[0].startswith("host  Linux 6.18.0  kvm_intel  1 guest, 1 vCPU")
    assert lines[1].rstrip() == "2.5 exits/s  5 in 2.00 s  all"
    assert lines[3].startswith("lost: nothing")
    assert len(lines) == 4
    assert all(cell_len(line) <= width for line in lines)


def test_the_header_says_where_the_time_went() -> None:
    line = rendered(header(host()))[2]
    assert line == "time: guest 50.0%, exits 0.0% (in user space 0.0%), idle 50.0%"


@pytest.mark.parametrize("width", WIDTHS)
def test_a_back_end_without_exits_says_so(width: int) -> None:
    lines = rendered(header(pvm()), width)
    assert len(lines) == 5
    assert lines[1].startswith("4.0 accesses/s")
    assert lines[2] == "time: in user space 2.50µs per second"
    assert lines[4].startswith("kvm_pvm has no kvm_exit event")
    assert "…" not in lines[4]


@pytest.mark.parametrize("width", WIDTHS)
def test_accesses_without_an_exit_are_reported_apart(width: int) -> None:
    emulated = pio(0x80, reason=None, no_latency=803)
    lines = rendered(header(snapshot(pio(0x70, ns=(3000,)), emulated)), width)
    assert lines[3].startswith("lost: nothing")
    assert lines[4].startswith("803 accesses took no exit: emulated by KVM")
    assert "…" not in lines[4]


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_named_with_its_number(name: str) -> None:
    line = rendered(header(replace(host(), lost=Lost(**{name: 12345}))))[3]
    assert f"{name} 12,345 ({LOSSES[name]})" in line
    assert "nothing" not in line


def test_the_losses_are_those_of_the_model() -> None:
    assert set(LOSSES) == set(Lost.__dataclass_fields__)
    assert set(NOT_COUNTED) < set(LOSSES)


def test_exits_in_flight_are_mentioned() -> None:
    assert "in flight: 3" in rendered(header(replace(host(), in_flight=3)))[3]


def test_guests_of_one_name_are_told_apart_by_their_process() -> None:
    twins = snapshot(pio(0x70, ns=(10,), pid=4), pio(0x70, ns=(10,), pid=5), Exits(vm="b", ns=(1,)))
    lines = "\n".join(shown(twins, Query(("vm",))))
    assert "alpha (4)" in lines
    assert "alpha (5)" in lines
    assert "b (" not in lines


def restarted() -> Snapshot:
    """Return a host on which a guest has ended, another has taken a PID over, a third runs."""
    return snapshot(
        pio(1, ns=(1,), vm="web", pid=100),
        pio(1, ns=(1,), vm="web", pid=101),
        pio(1, ns=(1,), vm="old", pid=102),
        pio(1, ns=(1,), vm="new", pid=102),
        guests=(
            Guest(100, "web", ended=True),
            Guest(101, "web"),
            Guest(102, "old", ended=True),
            Guest(102, "new"),
        ),
    )


@pytest.mark.parametrize("by", [("vm",), ("vcpu",)])
def test_a_guest_that_has_ended_says_so(by: tuple[str, ...]) -> None:
    names = [line[:20].split("  ")[0] for line in shown(restarted(), Query(by, "name"))[1:]]
    assert sorted(names) == ["new", "old (ended)", "web (100) (ended)", "web (101)"]
    assert "ended: web, old" in rendered(header(restarted()))


def test_a_host_on_which_none_has_ended_says_nothing_of_it() -> None:
    assert not any(line.startswith("ended") for line in rendered(header(host())))


def test_a_hostile_name_of_an_ended_guest_is_harmless() -> None:
    ended = snapshot(guests=(Guest(100, EVIL, ended=True), Guest(101, "b", ended=True)))
    assert rendered(header(ended))[-1] == f"ended: {HARMLESS}, b"


@pytest.mark.parametrize("width", WIDTHS)
def test_many_that_have_ended_take_one_line(width: int) -> None:
    many = snapshot(guests=tuple(Guest(pid, f"web{pid}", ended=True) for pid in range(100)))
    last = rendered(header(many), width)[-1]
    assert cell_len(last) <= width
    assert last.endswith("…")


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


def test_what_keeps_addresses_from_being_named_is_one_harmless_line() -> None:
    noticed = replace(host(), notices=("--qmp q: no answer", f"--libvirt: {EVIL}"))
    lines = rendered(header(noticed))
    assert f"--qmp q: no answer; --libvirt: {HARMLESS}" in lines
    assert len(lines) == len(rendered(header(host()))) + 1
    long = rendered(header(replace(host(), notices=("x" * 300,) * 9)), 80)
    assert len(long) == len(lines)
    assert max(map(len, long)) <= 80
