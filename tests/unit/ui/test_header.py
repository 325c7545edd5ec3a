"""The lines above a table: where, how much, where the time went, what is lost, who has ended."""

import re
from dataclasses import replace

import pytest
from rich.cells import cell_len

from bpfexit.model.guest import Guest
from bpfexit.model.losses import LOSSES, NOT_COUNTED, Lost
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.view import Query
from bpfexit.ui.header import header
from tests.unit.builders import pio, snapshot
from tests.unit.ui.shown import EVIL, HARMLESS, WIDTHS, host, pvm, rendered, shown


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
    assert line == ("time: guest 50.0%, KVM 0.0%, user space 0.0%, waiting unknown, idle 50.0%")


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
    lines = shown(restarted(), Query(by, "name"))[1:]
    names = [re.split(r"  +| (?=\d)", line)[0] for line in lines]
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


def test_what_keeps_addresses_from_being_named_is_one_harmless_line() -> None:
    noticed = replace(host(), notices=("--qmp q: no answer", f"--libvirt: {EVIL}"))
    lines = rendered(header(noticed))
    assert f"--qmp q: no answer; --libvirt: {HARMLESS}" in lines
    assert len(lines) == len(rendered(header(host()))) + 1
    long = rendered(header(replace(host(), notices=("x" * 300,) * 9)), 80)
    assert len(long) == len(lines)
    assert max(map(len, long)) <= 80


def test_an_interval_of_no_time_has_no_rates() -> None:
    some = replace(host(), duration_s=0.0, only=("CPUID",))
    assert any("per second in exits of CPUID alone" in line for line in rendered(header(some)))
