"""The screen offers the views that are attached, or recorded, and no others."""

from dataclasses import replace

from bpfexit.model.snapshot import Snapshot
from bpfexit.model.view import OPT_IN_VIEWS, Query
from bpfexit.ui.screen.state import first_state
from tests.unit.ui.screen.drive import Driver
from tests.unit.ui.screen.hosts import host


def with_views(of: Snapshot, *views: str) -> Snapshot:
    return replace(of, origin=replace(of.origin, views=views))


def titles(driver: Driver) -> list[str]:
    return [tab.title for tab in driver.state.tabs]


def test_views_that_are_attached_have_a_tab_wherever_one_is() -> None:
    driver = Driver(with_views(host(3), "rip", "halt"))
    assert titles(driver)[-2:] == ["rip", "halt"]
    driver.press("1", "down", "enter")
    assert titles(driver)[-2:] == ["rip", "halt"]


def test_views_that_are_not_attached_have_none() -> None:
    assert not {*OPT_IN_VIEWS} & {*titles(Driver(host(3)))}


def test_the_grouping_of_the_command_line_is_not_there_twice() -> None:
    state = first_state(Query(("rip",)), 1.0, own_by=True)
    driver = Driver(with_views(host(3), "rip"), state=state)
    assert titles(driver).count("rip") == 1
    assert driver.state.tab.by == ("rip",)


def test_the_help_says_how_further_views_are_attached() -> None:
    driver = Driver(host(1))
    driver.press("?")
    driver.press("end")
    assert "Further views: start with --by" in driver.text()
