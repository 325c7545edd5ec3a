"""What a recording says of its host and guests is in the snapshots that follow."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.errors import BpfexitError
from bpfexit.events.pio import PIO
from bpfexit.events.region import Region
from bpfexit.formats.json import guest as guest_json
from bpfexit.formats.json import recording as recording_json
from bpfexit.formats.json import snapshot as snapshot_json
from bpfexit.formats.json.recording import Header
from bpfexit.model.filter import Filter
from bpfexit.model.guest import Guest, NameSource
from bpfexit.model.host_facts import HostFacts
from bpfexit.model.snapshot import Origin, Snapshot
from bpfexit.recording import state as known
from bpfexit.recording.reader import RecordingSource
from bpfexit.recording.total import total
from bpfexit.recording.writer import Recorder
from tests.unit.builders import guests, pio, snapshot

MORE = ({"kernel.numa_balancing": "1"}, ("avic",), 4096, 1024)
"""Settings, CPU flags, and swap space."""

FACTS = HostFacts("Some CPU", 4, "tsc", "always", {"kvm.halt_poll_ns": "0"}, *MORE)
HEADER = Header("0.1.0", Origin("host", "6.18.0", "kvm_amd", facts=FACTS), 1.0, 1000.0)
WEB = Guest(100, "alpha", "qemu", "qemu", (("machine", "pc"),))
MAPPED = replace(WEB, regions=(Region(PIO, 0x608, 0x60B, "t"),), mapped_by=NameSource.QMP)
DB = Guest(101, "db", "libvirt")


def second(*of: Guest) -> Snapshot:
    return snapshot(pio(0x70, ns=(1,)), guests=of)


def write(path: Path, snapshots: list[Snapshot], append: bool = False) -> None:
    recorder = Recorder(path, lambda: HEADER, append)
    for each in snapshots:
        recorder.write(each)
    recorder.close()


def everything(path: Path, wanted: Filter | None = None) -> list[Snapshot]:
    source = RecordingSource(path, wanted or Filter())
    return list(iter(source.next, None))


@pytest.mark.parametrize("name", ["exits.jsonl", "exits.jsonl.gz"])
def test_what_is_known_comes_back_interval_by_interval(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    ended = replace(MAPPED, ended=True)
    said = [(WEB,), (WEB, DB), (MAPPED, DB), (MAPPED, DB), (ended, DB)]
    write(path, [second(*each) for each in said])
    found = everything(path)
    assert [each.guests for each in found] == said
    assert found[2].guests is found[3].guests
    assert all(each.origin.facts == FACTS for each in found)
    assert total(path, Filter()).snapshot.guests == (ended, DB)


def test_a_guest_is_written_once_and_again_when_something_changes(tmp_path: Path) -> None:
    path = tmp_path / "exits.jsonl"
    write(path, [second(WEB), second(WEB, DB), second(MAPPED, DB)])
    lines = [guest_json.decode(line) for line in path.read_text().splitlines()]
    assert lines == [None, WEB, None, DB, None, MAPPED, None]


def test_after_another_header_all_is_told_again(tmp_path: Path) -> None:
    path = tmp_path / "exits.jsonl"
    write(path, [second(WEB)])
    write(path, [second(DB)], append=True)
    assert [each.guests for each in everything(path)] == [(WEB,), (DB,)]
    assert total(path, Filter()).snapshot.guests == (WEB, DB)


def test_a_file_opened_again_tells_all_again(tmp_path: Path) -> None:
    path = tmp_path / "exits.jsonl"
    recorder = Recorder(path, lambda: HEADER)
    recorder.write(second(WEB))
    path.rename(tmp_path / "old.jsonl")
    recorder.reopen()
    recorder.write(second(WEB))
    recorder.close()
    assert [each.guests for each in everything(path)] == [(WEB,)]


def test_lines_without_guests_still_tell_who_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "exits.jsonl"
    last = snapshot(guests=(replace(WEB, ended=True),))
    path.write_text(f"{snapshot_json.encode(second(WEB))}\n{snapshot_json.encode(last)}\n")
    assert [each.guests for each in everything(path)] == [(), (Guest(100, "alpha", ended=True),)]


def test_a_pid_used_again_is_another_guest(tmp_path: Path) -> None:
    path = tmp_path / "exits.jsonl"
    ended, new = replace(WEB, ended=True), Guest(100, "beta", "qemu", "qemu")
    write(path, [second(WEB), second(ended, new), second(ended, new)])
    found = everything(path)
    assert [each.guests for each in found] == [(WEB,), (ended, new), (ended, new)]
    assert [each.ended for each in found] == [set(), {(100, "alpha")}, {(100, "alpha")}]


def test_guests_that_are_not_wanted_are_not_there(tmp_path: Path) -> None:
    path = tmp_path / "exits.jsonl"
    write(path, [second(WEB, DB)])
    assert everything(path, Filter(pids=(101,)))[0].guests == (DB,)


def test_too_much_about_guests_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "exits.jsonl"
    write(path, [second(*(Guest(pid, "x" * 1000) for pid in range(100)))])
    monkeypatch.setattr(known, "LIMIT", 1 << 20)
    assert len(everything(path)[0].guests) == 100
    monkeypatch.setattr(known, "LIMIT", 1 << 17)
    with pytest.raises(BpfexitError, match="its guests take more than"):
        everything(path)


def test_the_same_map_is_kept_once(tmp_path: Path) -> None:
    path = tmp_path / "exits.jsonl"
    write(path, [second(MAPPED, replace(MAPPED, pid=102))])
    first, other = everything(path)[0].guests
    assert first.regions is other.regions


@given(st.lists(st.lists(guests(), max_size=4, unique_by=lambda each: each.pid), max_size=4))
def test_any_guests_come_back(
    tmp_path_factory: pytest.TempPathFactory, said: list[list[Guest]]
) -> None:
    path = tmp_path_factory.mktemp("known") / "exits.jsonl"
    write(path, [second(*each) for each in said] or [second()])
    for found, each in zip(everything(path), said, strict=False):
        last = {guest.pid: guest for guest in found.guests}
        assert all(last[guest.pid] == guest for guest in each)


def test_a_line_of_before_is_read(tmp_path: Path) -> None:
    path = tmp_path / "exits.jsonl"
    line = snapshot_json.encode(second(WEB)).replace('"ended":[],', "")
    assert '"ended"' not in line
    path.write_text(f"{recording_json.encode(HEADER)}\n{line}\n")
    assert everything(path)[0].guests == ()
