"""Guests by process: what is known of them, until when, and who runs one."""

from dataclasses import replace
from pathlib import Path

import pytest

from bpfexit.guests import guests
from bpfexit.guests.guests import Guests
from bpfexit.model.ended import MOST_ENDED
from bpfexit.model.guest import Guest, Identity
from tests.unit.fake_processes import put
from tests.unit.guests.seen_guests import FIRST, PID, SECOND, WEB, gone, seen


def test_nothing_changes_so_the_same_comes_back(tmp_path: Path) -> None:
    put(tmp_path, PID, "qemu", "-name", "web")
    known = Guests(root=tmp_path)
    first = known.update(seen(PID, PID))
    assert first == (WEB,)
    assert known.update(seen(PID)) is first


def test_a_guest_that_starts_appears(tmp_path: Path) -> None:
    put(tmp_path, PID, "qemu", "-name", "web")
    put(tmp_path, 4712, "qemu", "-name", "db")
    known = Guests(root=tmp_path)
    known.update(seen(PID))
    assert known.update(seen(PID, 4712)) == (WEB, Guest(4712, "db", "qemu", "qemu"))


@pytest.mark.parametrize("zombie", [True, False])
def test_a_guest_that_ends_says_so_and_keeps_its_name(tmp_path: Path, zombie: bool) -> None:
    put(tmp_path, PID, "qemu", "-name", "web")
    known = Guests(root=tmp_path)
    known.update(seen(PID))
    if zombie:
        put(tmp_path, PID, state="Z", threads=1, memory=0)
    else:
        gone(tmp_path)
    ended = (replace(WEB, ended=True),)
    assert known.update(seen(PID)) == ended
    assert known.update(seen(PID)) == ended
    assert known.update({}) == ended


@pytest.mark.parametrize("taken_over", [True, False])
def test_a_guest_whose_vcpus_are_gone_lives_until_its_process_ends(
    tmp_path: Path, taken_over: bool
) -> None:
    put(tmp_path, PID, "qemu", "-name", "web")
    known = Guests(root=tmp_path)
    first = known.update(seen(PID))
    assert known.update({}) is first
    if taken_over:
        put(tmp_path, PID, "bash", started=2000)
    else:
        gone(tmp_path)
    assert known.update({}) == (replace(WEB, ended=True),)
    put(tmp_path, PID, "qemu", "-name", "db", started=3000)
    assert known.update(seen(PID)) == (
        replace(WEB, ended=True),
        Guest(PID, "db", "qemu", "qemu"),
    )


def test_one_never_in_sight_has_ended_when_its_vcpus_are_gone(tmp_path: Path) -> None:
    known = Guests(root=tmp_path)
    known.update(seen(PID))
    assert known.update({}) == (Guest(PID, "pid:4711", ended=True),)


def test_of_those_that_have_ended_the_last_ones_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guests, "MOST_ENDED", 3)
    put(tmp_path, PID, "qemu", "-name", "web")
    known = Guests(root=tmp_path)
    known.update(seen(PID, *range(1, 6)))
    assert [each.pid for each in known.update({})] == [PID, 1, 2, 3, 4, 5]  # each is told once
    assert [each.pid for each in known.update({})] == [PID, 3, 4, 5]
    assert [each.pid for each in known.update(seen(9))] == [PID, 3, 4, 5, 9]


def test_threads_that_outlive_the_first_one_are_a_guest(tmp_path: Path) -> None:
    put(tmp_path, PID, "qemu", "-name", "web")
    known = Guests(root=tmp_path)
    first = known.update(seen(PID))
    put(tmp_path, PID, state="Z", threads=2, memory=0)
    assert known.update(seen(PID)) is first


@pytest.mark.parametrize("new", [{"started": 2000}, {"memory": 0x500000}])
def test_a_pid_used_again_and_an_exec_are_another_guest(
    tmp_path: Path, new: dict[str, int]
) -> None:
    put(tmp_path, PID, "qemu", "-name", "web")
    known = Guests(root=tmp_path)
    known.update(seen(PID))
    put(tmp_path, PID, "qemu", "-name", "db", **new)  # type: ignore[arg-type]
    both = (replace(WEB, ended=True), Guest(PID, "db", "qemu", "qemu"))
    assert known.update(seen(PID)) == both
    assert known.update(seen(PID)) == both
    put(tmp_path, PID, "qemu", "-name", "mail", started=3000)
    assert [(each.name, each.ended) for each in known.update(seen(PID))] == [
        ("db", True),
        ("mail", False),
    ]


def test_a_process_is_known_by_its_start_too(tmp_path: Path) -> None:
    put(tmp_path, PID, "qemu", "-name", "web", started=1000)
    known = Guests(root=tmp_path)
    assert known.update({FIRST: True}) == (WEB,)
    put(tmp_path, PID, "qemu", "-name", "db", started=2000)
    both = (replace(WEB, ended=True), replace(WEB, name="db"))
    assert known.update({SECOND: True, FIRST: False}) == both
    assert known.guest(FIRST).name == "web"
    assert known.guest(SECOND).name == "db"


def test_the_name_of_a_process_is_not_taken_from_the_one_after_it(tmp_path: Path) -> None:
    put(tmp_path, PID, "qemu", "-name", "db", started=2000)
    known = Guests(root=tmp_path)
    assert known.update({FIRST: False}) == (Guest(PID, "pid:4711", ended=True),)


def test_one_that_was_noticed_keeps_its_name_though_it_is_gone(tmp_path: Path) -> None:
    put(tmp_path, PID, "qemu", "-name", "web", started=1000)
    known = Guests(root=tmp_path)
    known.notice(FIRST)
    put(tmp_path, PID, "qemu", "-name", "db", started=2000)
    known.notice(FIRST)
    known.notice(SECOND)
    gone(tmp_path)
    assert known.update({FIRST: False, SECOND: False}) == (
        replace(WEB, ended=True),
        replace(WEB, name="db", ended=True),
    )


def test_what_has_ended_is_not_noticed(tmp_path: Path) -> None:
    put(tmp_path, PID, state="Z", threads=1, memory=0)
    known = Guests(root=tmp_path)
    known.notice(FIRST)
    assert known.update({FIRST: False}) == (Guest(PID, "pid:4711", ended=True),)


def test_two_without_a_name_that_had_one_pid_have_numbers(tmp_path: Path) -> None:
    known = Guests(root=tmp_path)
    assert [each.name for each in known.update({FIRST: False, SECOND: True})] == [
        "pid:4711",
        "pid:4711#2",
    ]
    assert known.guest(SECOND) == Guest(PID, "pid:4711#2")


def test_an_unknown_process_is_its_number(tmp_path: Path) -> None:
    assert Guests(root=tmp_path).guest(FIRST) == Guest(PID, "pid:4711")


def test_a_day_of_guests_that_come_and_go_is_kept_in_part(tmp_path: Path) -> None:
    put(tmp_path, PID, "qemu", "-name", "web")
    known = Guests(root=tmp_path)
    lives, most = {Identity(PID): True}, 0
    for number in range(5000):
        identity = Identity(10_000 + number % 100, 1 + number)
        known.notice(identity)
        most = max(most, len(known.update({**lives, identity: False})))
    assert known.update(lives)[0] == WEB
    assert most <= MOST_ENDED + 3


def test_a_process_that_never_was_in_sight_has_not_ended(tmp_path: Path) -> None:
    known = Guests(root=tmp_path)
    assert known.update(seen(PID)) == (Guest(PID, "pid:4711"),)
    assert known.update(seen(PID)) == (Guest(PID, "pid:4711"),)
    put(tmp_path, PID, "qemu", "-name", "web")
    assert known.update(seen(PID)) == (WEB,)


def test_one_that_had_ended_before_it_was_seen_first(tmp_path: Path) -> None:
    put(tmp_path, PID, state="Z", threads=1, memory=0)
    assert Guests(root=tmp_path).update(seen(PID)) == (Guest(PID, "pid:4711", ended=True),)


@pytest.mark.parametrize("stat", ["", "x", "1 (a", "1 (a) S " + "x " * 60, "1 (a) S " + "1 " * 20])
def test_a_stat_that_is_none_is_no_process(tmp_path: Path, stat: str) -> None:
    put(tmp_path, PID, "qemu", "-name", "web")
    (tmp_path / "proc" / str(PID) / "stat").write_text(stat)
    assert Guests(root=tmp_path).update(seen(PID)) == (WEB,)


def test_a_process_that_cannot_be_read_about_has_not_ended(tmp_path: Path) -> None:
    put(tmp_path, PID, "qemu", "-name", "web")
    known = Guests(root=tmp_path)
    first = known.update(seen(PID))
    stat = tmp_path / "proc" / str(PID) / "stat"
    stat.unlink()
    stat.mkdir()  # not even root reads that as a file
    assert known.update(seen(PID)) is first
    assert known.update({}) is first
    gone(tmp_path)
    assert known.update(seen(PID)) == (replace(WEB, ended=True),)


def test_a_guest_that_runs_and_was_not_seen_is_known_until_it_ends(tmp_path: Path) -> None:
    put(tmp_path, PID, "qemu", "-name", "web", started=1000)
    known = Guests(root=tmp_path, running=lambda: [PID, 1])
    assert known.update({}) == (WEB,)
    assert known.update({}) == (WEB,)
    gone(tmp_path)
    assert known.update({}) == (replace(WEB, ended=True),)


def test_a_guest_that_runs_is_the_same_when_it_is_seen(tmp_path: Path) -> None:
    put(tmp_path, PID, "qemu", "-name", "web", started=1000)
    known = Guests(root=tmp_path, running=lambda: [PID])
    known.update({})
    assert known.update({FIRST: True}) == (WEB,)
    assert known.guest(FIRST) == WEB
    put(tmp_path, PID, "qemu", "-name", "db", started=2000)
    assert known.update({SECOND: True}) == (
        replace(WEB, ended=True),
        replace(WEB, name="db"),
    )


def test_a_guest_that_runs_and_is_seen_at_once_is_listed_once(tmp_path: Path) -> None:
    put(tmp_path, PID, "qemu", "-name", "web", started=1000)
    known = Guests(root=tmp_path, running=lambda: [PID])
    assert known.update({FIRST: True}) == (WEB,)
