"""Guests by process: what is known of them, until when, and who runs one."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bpfexit.errors import BpfexitError
from bpfexit.events.pio import PIO
from bpfexit.events.region import Region
from bpfexit.guests import guests
from bpfexit.guests.guests import Guests
from bpfexit.guests.maps.published import GuestKey, Mapped, NoMaps
from bpfexit.model.ended import MOST_ENDED
from bpfexit.model.guest import Guest, Identity, NameSource
from tests.unit.fake_processes import put

PID = 4711
WEB = Guest(PID, "web", "qemu", "qemu")


def seen(*pids: int) -> dict[Identity, bool]:
    """Return processes of unknown start, whose vCPUs' threads live."""
    return {Identity(pid): True for pid in pids}


def gone(root: Path) -> None:
    shutil.rmtree(root / "proc" / str(PID))


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


HZ = os.sysconf("SC_CLK_TCK")
FIRST = Identity(PID, 1000 * 10**9 // HZ + 1)
SECOND = Identity(PID, 2000 * 10**9 // HZ + 1)


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


class Given(NoMaps):
    """Maps as a test gives them, and the guests that were handed over last."""

    def __init__(self) -> None:
        self.maps: dict[GuestKey, Mapped] = {}
        self.handed: list[GuestKey] = []

    def __call__(self, guests: Mapping[GuestKey, Guest], /) -> Mapping[GuestKey, Mapped]:
        self.handed = list(guests)
        return self.maps


MAPPED: Mapped = ((Region(PIO, 0x608, 0x60B, "acpi-tmr"),), NameSource.QMP)


def test_memory_maps_come_when_they_are_there_and_stay_after_the_end(tmp_path: Path) -> None:
    put(tmp_path, PID, "qemu", "-name", "web")
    given = Given()
    known = Guests(given, tmp_path)
    assert known.update(seen(PID)) == (WEB,)
    given.maps = dict.fromkeys(given.handed, MAPPED)
    found = replace(WEB, regions=MAPPED[0], mapped_by=NameSource.QMP)
    assert known.update(seen(PID)) == (found,)
    assert known.update(seen(PID)) is known.update(seen(PID))
    given.maps = {}
    assert known.update(seen(PID)) == (found,)
    gone(tmp_path)
    assert known.update(seen(PID)) == (replace(found, ended=True),)
    assert given.handed == []


@pytest.mark.parametrize("new", [{"started": 2000}, {"memory": 0x500000}])
@pytest.mark.parametrize("identity", [Identity(PID), FIRST])
def test_the_map_of_a_guest_is_not_that_of_its_namesake_with_the_same_pid(
    tmp_path: Path, identity: Identity, new: dict[str, int]
) -> None:
    put(tmp_path, PID, "qemu", "-name", "web", started=1000)
    given = Given()
    known = Guests(given, tmp_path)
    known.update({identity: True})
    given.maps = dict.fromkeys(given.handed, MAPPED)
    put(tmp_path, PID, "qemu", "-name", "web", **new)  # type: ignore[arg-type]
    after = SECOND if identity.started and "started" in new else identity
    *_, guest = known.update({after: True})
    assert (guest.ended, guest.mapped_by) == (False, None)
    assert given.maps.keys().isdisjoint(given.handed)


def test_a_guest_is_the_same_to_its_maps_whoever_reads_of_it_first(tmp_path: Path) -> None:
    put(tmp_path, PID, "qemu", "-name", "web", started=1000)
    given = Given()
    Guests(given, tmp_path).update({FIRST: True})
    assert given.handed == list(guests.living_guests([PID], tmp_path))


@pytest.mark.parametrize("stat", ["", "x", "1 (a", "1 (a) S " + "x " * 60, "1 (a) S " + "1 " * 20])
def test_a_stat_that_is_none_is_no_process(tmp_path: Path, stat: str) -> None:
    put(tmp_path, PID, "qemu", "-name", "web")
    (tmp_path / "proc" / str(PID) / "stat").write_text(stat)
    assert Guests(root=tmp_path).update(seen(PID)) == (WEB,)


def test_a_process_with_a_guest_holds_it_open(tmp_path: Path) -> None:
    folder = tmp_path / "proc" / str(PID) / "fd"
    folder.mkdir(parents=True)
    (folder / "0").symlink_to("/dev/null")
    assert guests.warnings([PID], tmp_path) == [
        "process 4711 is not running a KVM guest; waiting for one"
    ]
    (folder / "9").symlink_to("anon_inode:kvm-vm")
    assert guests.warnings([PID], tmp_path) == []


def kill_says(monkeypatch: pytest.MonkeyPatch, error: type[OSError]) -> None:
    def refuse(_pid: int, _signal: int) -> None:
        raise error

    monkeypatch.setattr(os, "kill", refuse)


def test_a_process_that_is_not_there_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_says(monkeypatch, ProcessLookupError)
    with pytest.raises(BpfexitError, match=r"no such process: 4711 .*`bpfexit guests`"):
        guests.warnings([PID], tmp_path)


def test_a_number_beyond_those_of_processes_is_of_none(tmp_path: Path) -> None:
    with pytest.raises(BpfexitError, match="no such process: 4294967295"):
        guests.warnings([2**32 - 1], tmp_path)


def test_a_process_that_proc_hides_may_run_a_guest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_says(monkeypatch, PermissionError)
    assert guests.has_guest(PID, tmp_path) is None
    (warning,) = guests.warnings([PID], tmp_path)
    assert warning.startswith("whether process 4711 runs a KVM guest is unknown without CAP_SYS_PT")


@pytest.mark.parametrize("function", ["listdir", "readlink"])
def test_a_process_that_may_not_be_looked_into_may_run_a_guest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    put(tmp_path, PID, "qemu-system-x86_64", "-name", "web")
    put(tmp_path, 4712, "bash")
    for pid in (PID, 4712):
        open_file(tmp_path, pid, "anon_inode:kvm-vm")
    real = getattr(os, function)

    def refuse(path: Path) -> object:
        if "fd" in Path(path).parts:
            raise PermissionError
        return real(path)

    monkeypatch.setattr(os, function, refuse)
    assert guests.has_guest(PID, tmp_path) is None
    assert "is unknown without CAP_SYS_PTRACE" in guests.warnings([PID], tmp_path)[0]
    assert guests.running(tmp_path) == []
    assert guests.candidates(tmp_path) == [PID]


def test_ids_of_another_namespace_are_not_looked_up(tmp_path: Path) -> None:
    link = tmp_path / "proc" / "self" / "ns" / "pid"
    link.parent.mkdir(parents=True)
    link.symlink_to("pid:[4026532421]")
    assert guests.warnings([PID], tmp_path) == []


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


def open_file(root: Path, pid: int, target: str) -> None:
    folder = root / "proc" / str(pid) / "fd"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / str(len(list(folder.iterdir())))).symlink_to(target)


def test_those_are_running_that_hold_a_vm_open(tmp_path: Path) -> None:
    for pid in (4711, 200, 9):
        open_file(tmp_path, pid, "/dev/kvm")
    for pid in (4711, 9):
        open_file(tmp_path, pid, "anon_inode:kvm-vm")
    (tmp_path / "proc" / "self" / "fd").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "fd" / "0").symlink_to("anon_inode:kvm-vm")
    (tmp_path / "proc" / "1234").mkdir()  # ended since it was listed: no descriptors
    assert guests.running(tmp_path) == guests.candidates(tmp_path) == [9, 4711]


def test_nobody_is_running(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    assert guests.running(tmp_path) == []
