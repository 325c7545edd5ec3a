"""A slow exit as a line: readable, in columns, and harmless."""

from dataclasses import replace

import pytest

from bpfexit.events.kind import NO_KIND
from bpfexit.model.address_names import AddressName
from bpfexit.model.guest import NameSource
from bpfexit.model.rows import NO_VCPU
from bpfexit.model.slow import Slow
from bpfexit.model.snapshot import Origin
from bpfexit.ui.slow import headings, line, summary, unreported
from tests.unit.builders import SLOW_EXIT

BLIND = replace(SLOW_EXIT, reason=None, rip=None, ns=None)
SPLIT = replace(
    SLOW_EXIT,
    wait_ns=300_000,
    user_wait_ns=200_000,
    blocked_ns=900_000,
    user_blocked_ns=800_000,
)


def test_everything_known_of_it_is_in_its_line() -> None:
    shown = line(SLOW_EXIT).split()
    assert shown[0].endswith(".250000")
    assert shown[1:] == [
        "1.50ms", "1.40ms", "7", "web", "0x0000000000007c12", "io", "0x0608", "read",
    ]  # fmt: skip


def test_the_name_of_its_address_comes_last() -> None:
    usual = AddressName("acpi-tmr", NameSource.PLATFORM, is_guess=True)
    assert line(SLOW_EXIT, usual).endswith("0x0608 read acpi-tmr?")
    assert line(SLOW_EXIT, AddressName("\x1b[1m", NameSource.QMP)).isprintable()


def test_what_is_not_known_stays_blank() -> None:
    assert line(BLIND).split()[1:] == ["1.40ms", "7", "web", "0x0608", "read"]
    assert line(replace(SLOW_EXIT, vcpu=NO_VCPU)).split()[3] == "web"
    assert line(replace(SLOW_EXIT, kind=NO_KIND, address=None)).endswith(" io")


@pytest.mark.parametrize(("waiting", "blocked"), [(False, False), (True, False), (True, True)])
def test_columns_stand_under_their_headings(waiting: bool, blocked: bool) -> None:
    origin = Origin(has_waiting=waiting, has_blocked=blocked)
    for each in (SLOW_EXIT, BLIND, SPLIT):
        shown, above = line(each, origin=origin), headings(origin)
        assert shown.index("web") == above.index("guest")
        assert shown.index("0x0608") >= above.index("reason, address")


def test_what_is_measured_has_a_column() -> None:
    assert line(SPLIT, origin=Origin(has_waiting=True)).split()[1:4] == [
        "1.50ms",
        "1.40ms",
        "300µs",
    ]
    everything = Origin(has_waiting=True, has_blocked=True)
    assert line(SPLIT, origin=everything).split()[1:5] == ["1.50ms", "1.40ms", "300µs", "900µs"]
    in_user = line(replace(SPLIT, ns=None), origin=everything)
    assert in_user.split()[1:4] == ["1.40ms", "200µs", "800µs"]


def test_a_name_is_harmless() -> None:
    hostile = line(replace(SLOW_EXIT, vm="\x1b[31m[bold]\n\u202e", reason="\x07"))
    assert hostile.isprintable()


def test_what_has_no_line_is_said() -> None:
    assert unreported(Slow(1)) == ""
    assert "1,000 more slow exits, beyond --rate" in unreported(Slow(1, limited=1000))
    assert unreported(Slow(1, limited=1)) == "1 more slow exit, beyond --rate"
    assert "2 more slow exits, dropped by a full buffer" in unreported(Slow(1, dropped=2))
    assert summary(1, 1, 10**6) == "1 exit took 1.00ms or longer"
    assert summary(1013, 13, 10**6).endswith("1,000 of them not printed")
