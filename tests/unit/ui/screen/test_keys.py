"""Each key of the help does what the help says."""

import re

import pytest

from bpfexit.model.view import Query
from bpfexit.ui.screen.cells import Size
from bpfexit.ui.screen.help import help_of
from bpfexit.ui.screen.state import State, first_state
from tests.unit.ui.screen.drive import Driver
from tests.unit.ui.screen.hosts import host, name_of

NAMES = {
    "Enter": "enter",
    "Esc": "escape",
    "Tab": "tab",
    "1…9": "3",
    "space": " ",
    "→": "right",
    "←": "left",
    "↑": "up",
    "↓": "down",
    "Ctrl-L": "\x0c",
    "Ctrl-U": "\x15",
}


def help_keys(replay: bool) -> list[str]:
    return [NAMES.get(word, word) for each in help_of(replay) for word in each.keys.split()]


def opened(replay: bool = False, guests: int = 3) -> Driver:
    state = first_state(Query(), 1.0, replay=replay)
    driver = Driver(host(guests), host(guests, second=1), state=state)
    driver.screen._recording.intervals = 5  # type: ignore[misc]
    return driver


@pytest.mark.parametrize("replay", [False, True])
@pytest.mark.parametrize("key", sorted({*help_keys(False), *help_keys(True)}))
def test_a_key_does_something_where_the_help_has_it_and_nothing_elsewhere(
    key: str, replay: bool
) -> None:
    driver = opened(replay).press("down", "right")
    driver.type("fprod").press("enter")
    if key == "\x15":
        driver.press("f")
    before = driver.state
    driver.press(key)
    assert (driver.state != before) == (key in help_keys(replay))


def test_with_one_guest_the_reasons_come_first_and_with_more_the_guests() -> None:
    assert opened(guests=1).state.tab.title == "reasons"
    assert opened(guests=2).state.tab.title == "guests"


def test_a_grouping_asked_for_comes_first() -> None:
    state = first_state(Query(("vm", "port")), 1.0, own_by=True)
    assert Driver(host(3), state=state).state.tab.by == ("vm", "port")
    state = first_state(Query(("vcpu",)), 1.0, own_by=True)
    assert Driver(host(3), state=state).state.tab.title == "vCPUs"


def test_what_was_chosen_on_the_command_line_stays() -> None:
    state = first_state(Query(("vm",), than_ns=5000), 1.0, columns=("rate", "p99"))
    driver = Driver(host(3), state=state).press("2")
    assert driver.state.query(driver.state.tab.by).than_ns == 5000
    heading = next(line for line in driver.lines() if line.startswith("reason"))
    assert heading.split() == ["reason", "/", "address", "per", "s", "p99"]


def test_the_views_go_round_both_ways_and_have_numbers() -> None:
    driver = opened()
    seen = [driver.state.tab]
    while driver.press("tab").state.tab != seen[0]:
        seen.append(driver.state.tab)
    assert seen == list(driver.state.tabs)
    assert driver.press("backtab").state.tab == seen[-1]
    for place, tab in enumerate(seen, 1):
        assert driver.press(str(place)).state.tab == tab
        assert f" {place} {tab.title}" in driver.text()


def test_a_guest_is_opened_then_its_reason_and_back() -> None:
    driver = opened().press("1", "sort", "home")
    name = (driver.selected() or "").split()[0]
    driver.press("enter")
    assert f"all guests > {name}" in driver.text()
    assert "1 guest, 2 vCPUs" in driver.text()
    assert {"vCPU", "reason"} <= set(driver.text().split())
    while "IO_INSTRUCTION" not in (driver.selected() or ""):
        driver.press("down")
    driver.press("enter")
    text = driver.text()
    assert f"all guests > {name} > IO_INSTRUCTION" in text
    for part in ("p50", "p90", "p99", "p99.9", "max", "│█", "rate in the last", "vCPU 1"):
        assert part in text
    driver.press("escape")
    assert "IO_INSTRUCTION" in (driver.selected() or "")
    driver.press("escape")
    assert (driver.selected() or "").startswith(name)


def test_the_header_is_that_of_what_is_shown() -> None:
    driver = opened()
    whole = driver.lines()[1]
    driver.type("f" + name_of(1)).press("enter")
    assert "1 guest, 2 vCPUs" in driver.text()
    assert driver.lines()[1] != whole
    assert driver.press("escape").lines()[1] == whole


def test_a_filter_is_shown_as_it_is_typed_and_escape_takes_it_back() -> None:
    driver = opened().type("fweb")
    assert driver.state.text == "web"
    assert "1 guest," in driver.text()
    driver.press("escape")
    assert (driver.state.text, driver.state.prompt) == ("", "")
    driver.type("/^prod-(web|redis)/").press("enter")
    assert "2 guests" in driver.text()
    driver.press("f").type("(")
    assert "not a regular expression" in driver.text()
    assert driver.state.text == "/^prod-(web|redis)/"


def test_a_prompt_is_edited_as_in_a_shell() -> None:
    driver = opened().type("fone two-three")
    assert driver.press("\x17").state.typed == "one two-"
    assert driver.press("\x17").state.typed == "one "
    assert driver.press("backspace").state.typed == "one"
    assert driver.press("\x15").state.typed == ""
    assert driver.press("up", "\x00", "\x1b", "\u202e", "\ufffd\ufffd").state.typed == ""


def test_a_guest_is_picked_by_its_name() -> None:
    driver = opened(guests=30).type("freason").press("enter")
    driver.type("gredis")
    assert "pick a guest" in driver.text()
    assert not any("postgres" in line for line in driver.lines()[5:])
    name = (driver.press("down").selected() or "").split()[0]
    driver.press("enter")
    assert [level.title for level in driver.state.levels] == ["all guests", name]
    assert driver.state.text == "reason"
    driver.type("gnobody").press("enter")
    assert [level.title for level in driver.state.levels] == ["all guests", name]
    driver.type("g").press("escape")
    assert driver.state.level.title == name


@pytest.mark.parametrize(
    ("text", "seconds"), [("0.1", 0.1), ("2", 2), ("500ms", 0.5), ("1h", 3600)]
)
def test_an_interval_is_set(text: str, seconds: float) -> None:
    driver = opened().type("s" + text).press("enter")
    assert (driver.state.interval, driver.state.message) == (seconds, "")


@pytest.mark.parametrize("text", ["", "0", "-1", "0.05", "86401", "1e9", "nan", "inf", "two"])
def test_an_interval_that_is_none_gives_a_message(text: str) -> None:
    driver = opened().type("s" + text).press("enter")
    assert driver.state.interval == 1.0
    assert driver.state.message.endswith(
        ": expected a time from 0.1s to 3600s, such as 0.5, 500ms or 2s"
    )
    assert not driver.state.prompt


def test_columns_are_chosen() -> None:
    driver = opened().press("2").type("Cper s, p99,trend").press("enter")
    heading = next(line for line in driver.lines() if line.startswith("reason"))
    assert heading.split() == ["reason", "/", "address", "per", "s", "p99", "trend"]
    driver.type("C").press("\x15", "enter")
    assert "mean" in driver.text()
    driver.type("Cnothing").press("enter")
    assert "unknown column 'nothing'" in driver.text()


def test_the_sort_moves_through_the_columns_of_the_screen() -> None:
    driver = opened().press("2")
    seen = []
    for _ in driver.screen._page().body.sorts:
        seen.append(driver.state.sort)
        driver.press("right")
        assert "▼" in driver.text() or driver.state.sort == "name"
    assert sorted(seen) == sorted(driver.screen._page().body.sorts)


def test_addresses_are_shown_and_hidden() -> None:
    driver = opened().press("2")
    assert "0x0608 read" in driver.text()
    assert "0x0608 read" not in driver.press("x").text()


def test_the_help_is_scrolled_and_any_key_leaves_it() -> None:
    driver = Driver(host(3), size=Size(80, 24)).press("?")
    assert "with the summary of the whole run" in driver.text()
    seen = set(driver.lines())
    for _ in range(60):
        seen |= set(driver.press("down").lines())
    assert any("Percentiles" in line for line in seen)
    assert driver.press("x").state.level.title == "all guests"


def test_view_sort_and_interval_are_always_visible() -> None:
    for size in (Size(80, 24), Size(120, 40), Size(40, 10)):
        text = Driver(host(3), size=size).text()
        assert "by away%, every 1 s" in text


@pytest.mark.parametrize("replay", [False, True])
def test_the_help_below_cuts_no_key(replay: bool) -> None:
    driver = opened(replay)
    words = [f"{key.keys.split()[0]} {key.word}" for key in help_of(replay)]
    for width in range(1, 260):
        driver.resize(Size(width, 24))
        keys = re.sub(r"^\[.*?(\] |$)", "", driver.lines()[-1]) if replay else driver.lines()[-1]
        shown = [key for key in keys.split("  ") if key]
        assert shown == words[: len(shown)]
    assert shown == words


@pytest.mark.parametrize("key", ["q", "Q", "eof"])
def test_a_key_or_the_terminals_end_quits(key: str) -> None:
    assert opened().press(key).state.quit


def test_a_recording_is_stepped_and_held() -> None:
    driver = opened(replay=True).press("]", "n", ".")
    assert (driver.state.paused, driver.state.steps) == (True, 3)
    driver.press(" ")
    assert (driver.state.paused, driver.state.steps) == (False, 0)


def wanted(driver: Driver) -> int | None:
    return driver.state.go_to


def test_a_recording_is_left_and_entered_at_any_interval() -> None:
    driver = opened(replay=True)
    assert "2/5" in driver.text()
    assert wanted(driver.press("[")) == 1
    assert wanted(driver.press("}")) == 5
    assert wanted(driver.press("{")) == 1
    assert wanted(driver.type(":4").press("enter")) == 4
    assert "paused at 2/5" in driver.text()
    driver.type(":6").press("enter")
    assert driver.state.message == "'6' is not an interval from 1 to 5"


def test_an_unknown_key_does_nothing() -> None:
    driver = opened()
    for key in ("\x04", "ä", "unknown", "backspace", "\ufffd", "taken", "0"):
        before: State = driver.state
        assert driver.press(key).state == before
