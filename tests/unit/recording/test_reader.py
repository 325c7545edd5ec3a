"""A recording gives back what was recorded: as much of it as is there, or one clear error."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.errors import BpfexitError
from bpfexit.formats.json.snapshot import encode
from bpfexit.model.filter import Filter
from bpfexit.model.snapshot import Origin, Snapshot
from bpfexit.names.reasons import Isa
from bpfexit.recording.reader import RecordingSource
from tests.unit.builders import Exits, pio, snapshot
from tests.unit.tallies import tally

NO_FILTER = Filter()
PVM = Origin("host", "6.18.0", "kvm_pvm", has_exit_events=False)


def three() -> list[Snapshot]:
    return [
        snapshot(pio(0x70, ns=(100 * n,)), Exits("HLT", (5,), tid=102, vcpu=1), duration_s=float(n))
        for n in (1, 2, 3)
    ]


def lines(of: list[Snapshot]) -> bytes:
    return "".join(encode(each) + "\n" for each in of).encode()


def written(folder: Path, data: bytes, name: str = "exits.jsonl") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def everything(source: RecordingSource) -> list[Snapshot]:
    found = []
    while snapshot := source.next():
        found.append(snapshot)
    return found


def encoded(of: list[Snapshot]) -> list[str]:
    return [encode(each) for each in of]


@pytest.mark.parametrize("name", ["exits.jsonl", "exits.jsonl.gz"])
def test_all_snapshots_come_back_in_order(tmp_path: Path, name: str) -> None:
    data = lines(three())
    path = written(tmp_path, gzip.compress(data) if name.endswith(".gz") else data, name)
    source = RecordingSource(path, NO_FILTER)
    assert encoded(everything(source)) == encoded(three())
    assert source.cut is None
    assert source.next() is None
    assert source.close() is None


def test_it_says_how_long_the_next_snapshot_lasted(tmp_path: Path) -> None:
    source = RecordingSource(written(tmp_path, lines(three())), NO_FILTER)
    found = []
    while due := source.due():
        found.append(due)
        source.next()
    assert found == [1, 2, 3]
    assert source.due() == 0


@pytest.mark.parametrize("origin", [PVM, None])
def test_the_back_end_is_that_of_the_recording(tmp_path: Path, origin: Origin | None) -> None:
    of = snapshot(pio(0x70, no_latency=1, isa=Isa.NONE, reason=None), origin=origin)
    source = RecordingSource(written(tmp_path, lines([of])), NO_FILTER)
    assert source.has_exit_events is (origin is None)


def test_a_cut_last_line_is_left_out_and_said(tmp_path: Path) -> None:
    data = lines(three())
    first_two = len(lines(three()[:2]))
    for length in {first_two + 1, (first_two + len(data)) // 2, len(data) - 2}:
        source = RecordingSource(written(tmp_path, data[:length]), NO_FILTER)
        assert encoded(everything(source)) == encoded(three()[:2])
        assert source.cut == "line 3 is cut short"


def test_a_file_that_ends_after_a_snapshot_is_not_cut(tmp_path: Path) -> None:
    data = lines(three())
    for rest in (data, data.removesuffix(b"\n"), lines(three()[:2])):
        source = RecordingSource(written(tmp_path, rest), NO_FILTER)
        assert len(everything(source)) == rest.count(b"schema")
        assert source.cut is None


def test_a_gzip_that_is_cut_anywhere_gives_what_is_whole(tmp_path: Path) -> None:
    data = gzip.compress(lines(three()), mtime=0)
    lengths = set()
    for length in range(len(data)):
        path = written(tmp_path, data[:length], "exits.gz")
        try:
            source = RecordingSource(path, NO_FILTER)
            found = everything(source)
        except BpfexitError:
            found = []
        else:
            assert source.cut is not None
        assert encoded(found) == encoded(three()[: len(found)])
        lengths.add(len(found))
    assert max(lengths) == 3  # only the checksum was cut off


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "contains no complete interval"),
        (b"\n", "line 1: it is not JSON"),
        (b"# a log\n", "line 1: it is not JSON"),
        (b"{}\n", "line 1: it is not of the schema"),
        (b'{"schema":"bpfexit.snapshot/1"', "line 1: it is not JSON"),
        (b"\xff\xfe\x00junk\n", "line 1: it is not UTF-8 text"),
        (b"\0" * 100, "line 1: it is not JSON"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, data: bytes, why: str) -> None:
    with pytest.raises(BpfexitError, match=why):
        RecordingSource(written(tmp_path, data), NO_FILTER)


@pytest.mark.parametrize("data", [b"\x1f", b"plain text\n", b"\x1f\x8b\x08\xff" + b"\xff" * 40])
def test_what_is_no_gzip_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(BpfexitError, match=r"exits\.gz"):
        RecordingSource(written(tmp_path, data, "exits.gz"), NO_FILTER)


@given(st.binary(max_size=200), st.sampled_from(["junk.jsonl", "junk.gz"]))
def test_junk_is_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str) -> None:
    path = written(tmp_path_factory.getbasetemp(), data, name)
    with pytest.raises(BpfexitError):
        RecordingSource(path, NO_FILTER)


def test_a_directory_and_nothing_at_all_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BpfexitError, match="directory"):
        RecordingSource(tmp_path, NO_FILTER)
    with pytest.raises(BpfexitError, match="No such file"):
        RecordingSource(tmp_path / "absent.gz", NO_FILTER)


BROKEN = b"{broken}\n"


@pytest.mark.parametrize("at", [0, 1, 2, 3])
@pytest.mark.parametrize("junk", [BROKEN, b"\0" * 999 + b"\n", b"\xff\n", b"\n", BROKEN * 2])
def test_a_broken_line_costs_no_other(tmp_path: Path, at: int, junk: bytes) -> None:
    path = written(tmp_path, lines(three()[:at]) + junk + lines(three()[at:]))
    source = RecordingSource(path, NO_FILTER)
    assert encoded(everything(source)) == encoded(three())
    (note,) = source.notes()
    number, size = junk.count(b"\n"), len(junk) - junk.count(b"\n")
    assert f"skipped {number} line{'s'[: number - 1]} ({size:,} byte" in note
    assert f"the first is line {at + 1}: " in note
    assert source.cut is None


@pytest.mark.parametrize("cut", [1, 100, 400])
@pytest.mark.parametrize("zeros", [0, 4096])
def test_a_line_appended_to_a_cut_one_is_read(tmp_path: Path, cut: int, zeros: int) -> None:
    one, *others = three()
    begun = lines([one])[:cut] + b"\0" * zeros
    path = written(tmp_path, lines([one]) + begun + lines(others))
    source = RecordingSource(path, NO_FILTER)
    assert encoded(everything(source)) == encoded(three())
    (note,) = source.notes()
    assert f"skipped 1 line ({len(begun):,} byte" in note


def test_a_line_that_is_too_long_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = 2 * len(lines(three()[:1]))
    monkeypatch.setattr("bpfexit.recording.lines.LONGEST", limit)
    long = b"x" * (5 << 20)
    path = written(tmp_path, lines(three()[:1]) + long + b"\n" + lines(three()[1:]))
    source = RecordingSource(path, NO_FILTER)
    assert encoded(everything(source)) == encoded(three())
    (note,) = source.notes()
    assert f"({len(long):,} bytes), the first is line 2: it is longer than" in note


def test_what_is_no_recording_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bpfexit.recording.entries.LONGEST", 1000)
    late = written(tmp_path, b"a log\n" * 1000 + lines(three()))
    with pytest.raises(BpfexitError, match="is not a bpfexit recording, line 1"):
        RecordingSource(late, NO_FILTER)


def test_closing_early_is_no_error(tmp_path: Path) -> None:
    source = RecordingSource(written(tmp_path, lines(three())), NO_FILTER)
    source.next()
    assert source.close() is None
    assert source.close() is None


@pytest.mark.parametrize(
    ("wanted", "tids"),
    [
        (Filter(), {101, 102, 201}),
        (Filter(pids=(200, 999)), {201}),
        (Filter(vcpus=(1,)), {102}),
        (Filter(pids=(100,), vcpus=(0,)), {101}),
        (Filter(reasons=("hlt", "cpuid")), {102}),
        (Filter(reasons=("IO_instruction",), pids=(200,)), set()),
        (Filter(pids=(7,)), set()),
    ],
)
def test_only_what_is_wanted_is_replayed(tmp_path: Path, wanted: Filter, tids: set[int]) -> None:
    of = snapshot(
        pio(0x70, ns=(1,)),
        Exits("HLT", (5,), tid=102, vcpu=1),
        Exits(None, no_latency=1, vm="beta", pid=200, tid=201),
        guest_ns=9,
    )
    found = RecordingSource(written(tmp_path, lines([of])), wanted).next()
    assert found is not None
    assert set(found.rows["tid"].tolist()) == tids
    kept = {key: value for key, value in tally(of).items() if key[3] in tids}
    assert tally(found) == kept
    assert {*found.vcpus["tid"].tolist()} >= tids
    if not wanted.reasons:
        assert {*found.vcpus["tid"].tolist()} == tids


def test_a_reason_that_is_not_in_it_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "exits.jsonl"
    path.write_text(encode(snapshot(pio(0x608, reason="io"))) + "\n")
    source = RecordingSource(path, Filter(reasons=("IO", "foo\x1b[1m")))
    found = source.next()
    assert found
    assert found.only == ("IO", "foo\x1b[1m")
    (note,) = source.notes()
    assert note == f"{path} has no exit of foo\\x1b[1m: it has io"


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Filter(pids=(200, 7)), ["no exit of process 7: it has 100, 200"]),
        (Filter(vcpus=(3,)), ["no exit of vCPU 3: it has 0, 1"]),
        (
            Filter(pids=(7,), vcpus=(3,)),
            ["no exit of process 7: it has 100, 200", "no exit of vCPU 3: it has 0, 1"],
        ),
        (
            Filter(pids=(200,), vcpus=(1,)),
            ["no exit that matches all of -p, -v, -t, --guest and --reason"],
        ),
        (Filter(pids=(100,), vcpus=(1,)), []),
    ],
)
def test_what_was_chosen_and_is_not_in_it_is_told_of(
    tmp_path: Path, wanted: Filter, said: list[str]
) -> None:
    of = [
        snapshot(pio(0x70, ns=(1,)), Exits("HLT", (5,), tid=102, vcpu=1)),
        snapshot(Exits("HLT", (5,), vm="beta", pid=200, tid=201)),
    ]
    path = written(tmp_path, lines(of))
    source = RecordingSource(path, wanted)
    everything(source)
    assert source.notes() == [f"{path} has {each}" for each in said]


def test_a_note_names_a_bounded_number_of_processes(tmp_path: Path) -> None:
    many = [Exits("HLT", (5,), pid=pid, tid=pid) for pid in range(1000, 1300)]
    source = RecordingSource(written(tmp_path, lines([snapshot(*many)])), Filter(pids=(7,)))
    everything(source)
    (note,) = source.notes()
    assert note.endswith(", 1098, 1099, …")
