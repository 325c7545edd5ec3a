"""What is shown of guests, reasons and addresses."""

import re
from dataclasses import replace

import pytest
from rich.cells import cell_len

from bpfexit.events.rip import RIP
from bpfexit.model.guest import Guest
from bpfexit.model.lines import about
from bpfexit.model.view import Query, ordered
from bpfexit.ui.screen.cells import Size
from bpfexit.ui.screen.paragraphs import wrapped
from bpfexit.ui.screen.state import State, first_state
from tests.unit.builders import Exits, pio, snapshot
from tests.unit.ui.screen.drive import Driver
from tests.unit.ui.screen.hosts import host


def test_an_address_has_its_device_and_the_finding_that_explains_it() -> None:
    slow = pio(0x608, ns=(9_000,) * 9_000, user_ns=(8_000,) * 9_000)
    driver = Driver(snapshot(slow, guest_ns=5 * 10**8)).press("6", "enter")
    assert "device acpi-tmr?" in driver.text()
    assert "bpfexit diagnose --explain pm-timer" in driver.text()


def test_a_reason_has_the_instructions_that_exit_where_they_are_collected() -> None:
    rows = (
        Exits("CPUID", ns=(5,) * count, kind=RIP, address=at) for count, at in ((7, 1), (13, 2))
    )
    driver = Driver(snapshot(*rows, Exits("HLT", ns=(5,))), state=by("reason", "rip"))
    text = driver.press("home", "enter").text()
    assert "guest instructions that exit" in text
    assert text.index("rip 0x0000000000000002") < text.index("rip 0x0000000000000001")
    text = driver.press("escape", "down", "enter").text()
    assert "> rip 0x0000000000000002" in text
    assert re.search(r"count 13 ", text)


def test_what_by_groups_by_can_be_seen_within_a_guest() -> None:
    driver = Driver(host(2), state=by("vm", "rip")).press("enter")
    assert driver.state.tabs[-1].by == ("rip",)


def test_only_slow_exits_are_in_a_reason_and_in_its_trend() -> None:
    slow = pio(0x608, ns=(*(100,) * 17, *(9_000,) * 5))
    state = first_state(Query(than_ns=8192, sort="rate"), 1.0)
    driver = Driver(snapshot(slow), snapshot(slow), state=state, size=Size(200, 40))
    assert "at least 8.19µs" in driver.text()
    heading = next(line for line in driver.lines() if line.startswith("reason"))
    assert not {"time%", "mean", "user%"} & {*heading.split()}
    text = driver.press("down", "enter").text()
    assert re.search(r"count 5 ", text)
    assert "rate in the last 0:00:02: 5.0 to 5.0/s" in text


def by(*names: str) -> State:
    return first_state(Query(names), 1.0, own_by=True)


def test_a_guest_that_has_not_exited_has_a_line() -> None:
    of = host(2)
    driver = Driver(replace(of, guests=(*of.guests, Guest(77, "idle-one", "qemu", "qemu"))))
    assert "3 guests, 4 vCPUs" in driver.text()
    assert (driver.press("end").selected() or "").startswith("idle-one")
    assert "has not exited" in driver.press("enter").text()
    driver.press("escape").type("fidle")
    assert [line for line in driver.lines() if line.startswith(("prod", "idle"))] == [
        line for line in driver.lines() if line.startswith("idle-one")
    ]
    driver.press("escape").type("fpostgres")
    assert "idle-one" not in driver.text()


def test_guests_of_one_name_keep_their_lines_beside_one_that_has_not_exited() -> None:
    rows = (Exits("CPUID", (5,) * count, vm="web", pid=pid) for pid, count in ((1, 7), (2, 13)))
    of = snapshot(*rows, Exits("CPUID", (5,) * 3, vm="db", pid=3))
    vms = ("web", "web", "db")
    for array in (of.rows.fields, of.vcpus):
        array["vm"] = array["pid"] - 1
    idle = (Guest(4, "idle"), Guest(5, "web"))
    of = replace(of, vms=vms, guests=idle)
    found = ordered(of, Query(("vm",), "count"))
    lines = found.lines()
    assert [found.find(about(line)) for line in lines] == [0, 1, 2, 3, 4]
    assert [(line.vm, line.pid, line.numbers["count"]) for line in lines] == [
        ("web", 2, 13),
        ("web", 1, 7),
        ("db", 3, 3),
        ("idle", 4, 0),
        ("web", 5, 0),
    ]


def test_what_is_missing_without_guests_depends_on_the_choice_of_guests() -> None:
    assert "No KVM guest is running" in Driver(host(0)).text()
    state = first_state(Query(), 1.0, chosen=True)
    assert "No matching guest is running" in Driver(host(0), state=state).text()


def test_no_text_is_cut_on_a_narrow_screen() -> None:
    slow = pio(0x608, ns=(9_000,) * 9_000, user_ns=(8_000,) * 9_000)
    texts = []
    for width in (60, 200):
        driver = Driver(snapshot(slow, guest_ns=5 * 10**8), size=Size(width, 300)).press("6")
        pages = [driver.press("enter").lines(), driver.press("?").lines()]
        texts.append([" ".join(" ".join(page[4:-2]).split()) for page in pages])
    (narrow, narrow_help), (wide, wide_help) = texts
    assert narrow.rpartition("finding")[2] == wide.rpartition("finding")[2]
    helps = (text.partition("keys and columns")[2].split() for text in (narrow_help, wide_help))
    assert len({tuple(sorted(words)) for words in helps}) == 1


@pytest.mark.parametrize(("first", "later"), [("a", 0), ("  a: ", 4)])
def test_words_are_wrapped_by_columns(first: str, later: int) -> None:
    text = first + "word 世界世界 longer-than-the-width x " * 9
    lines = wrapped(text, 16, later)
    assert " ".join(lines).split() == text.split()
    assert lines[0].startswith(first.rstrip())
    assert all(line.startswith(" " * later) for line in lines[1:])
    assert all(cell_len(line) <= 16 or len(line.split()) == 1 for line in lines)


def test_with_guests_that_have_not_exited_alone_there_is_a_list_of_them() -> None:
    idle = (Guest(77, "idle-one"), Guest(78, "idle-two"))
    driver = Driver(replace(host(0), guests=idle))
    assert driver.state.tab.title == "guests"
    assert "2 guests, 0 vCPUs" in driver.text()
