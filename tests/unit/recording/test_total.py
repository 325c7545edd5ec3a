"""A recording as one snapshot: windows miss and share nothing."""

import gzip
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.errors import BpfexitError
from bpfexit.formats.json import recording as recording_json
from bpfexit.formats.json import snapshot as snapshot_json
from bpfexit.formats.json.recording import Header
from bpfexit.model.filter import Filter
from bpfexit.model.guest import Guest
from bpfexit.model.host_facts import HostFacts
from bpfexit.model.snapshot import Origin, Snapshot, merged
from bpfexit.recording.reader import RecordingSource
from bpfexit.recording.total import total, within
from tests.unit.builders import pio, snapshot
from tests.unit.tallies import tally

HEADER = Header("0.1.0", Origin("host", "6.18.0", "kvm_amd"), 1.0, 1000.0, (Guest(100, "alpha"),))


FACTLESS = ',"interval_s":1,"start":0,"guests":[],"facts":{"parameters":[]}}'
OLD_HEADER = (
    '{"schema":"bpfexit.recording/1","version":"0.1.0","host":"host","kernel":"6.18.0",'
    '"backend":"kvm_amd","emits_exits":true,"interval_s":1.0,"start":1000.0,'
    '"guests":[{"vm":"alpha","pid":100}]}'
)


def seconds(number: int) -> list[Snapshot]:
    return [snapshot(pio(0x70, ns=(n,)), pio(n), start=1000.0 + n) for n in range(number)]


def recorded(folder: Path, of: list[Snapshot], name: str = "exits.jsonl") -> Path:
    lines = [recording_json.encode(HEADER), *map(snapshot_json.encode, of)]
    data = [f"{line}\n".encode() for line in lines]
    path = folder / name
    path.write_bytes(b"".join(map(gzip.compress, data) if name.endswith("gz") else data))
    return path


@pytest.mark.parametrize("name", ["exits.jsonl", "exits.jsonl.gz"])
def test_the_header_is_read_and_is_no_snapshot(tmp_path: Path, name: str) -> None:
    path = recorded(tmp_path, seconds(3), name)
    source = RecordingSource(path, Filter())
    assert source.header == HEADER
    assert source.start == 1000.0
    assert total(path, Filter()).intervals == 3


def test_a_header_may_come_again_after_an_append(tmp_path: Path) -> None:
    path = recorded(tmp_path, seconds(2))
    path.write_bytes(path.read_bytes() * 2)
    assert total(path, Filter()).intervals == 4


def test_a_guest_may_be_named_like_a_recording(tmp_path: Path) -> None:
    path = recorded(tmp_path, [snapshot(pio(1, ns=(1,), vm=recording_json.SCHEMA))])
    assert total(path, Filter()).snapshot.vms == (recording_json.SCHEMA,)


def test_a_header_alone_is_no_recording(tmp_path: Path) -> None:
    with pytest.raises(BpfexitError, match="contains no complete interval"):
        total(recorded(tmp_path, []), Filter())


FACTS = st.builds(
    HostFacts,
    st.text(),
    st.integers(0, 2**16),
    st.text(),
    st.text(),
    st.dictionaries(st.text(), st.text()),
)


@given(
    st.builds(
        Header,
        st.text(),
        st.builds(Origin, st.text(), st.text(), st.text(), st.booleans(), FACTS),
        st.floats(0, 1e6),
        st.floats(0, 1e10),
        st.lists(st.builds(Guest, st.integers(0, 2**31), st.text())).map(tuple),
    )
)
def test_a_header_comes_back(header: Header) -> None:
    assert recording_json.decode(recording_json.encode(header)) == header


def test_a_header_of_before_there_were_facts_is_read() -> None:
    assert recording_json.decode(OLD_HEADER) == HEADER


@pytest.mark.parametrize(
    "rest",
    ["}", ',"interval_s":1}', ',"interval_s":1e999,"start":0,"guests":[]}', FACTLESS, "", ":" * 9],
)
def test_half_a_header_is_refused(rest: str) -> None:
    with pytest.raises(BpfexitError, match="not a complete header"):
        recording_json.decode(f'{{"schema":"{recording_json.SCHEMA}"{rest}')


@given(st.integers(1, 12), st.lists(st.floats(0, 12), max_size=4))
def test_windows_that_adjoin_add_up_to_the_whole(
    tmp_path_factory: pytest.TempPathFactory, number: int, cuts: list[float]
) -> None:
    path = recorded(tmp_path_factory.getbasetemp(), seconds(number))
    parts: list[Snapshot] = []
    for begin, end in pairwise([None, *sorted(cuts), None]):
        parts += within(RecordingSource(path, Filter()), begin, end)
    whole = total(path, Filter())
    assert len(parts) == whole.intervals == number
    assert tally(merged(parts)) == tally(whole.snapshot)


def test_an_interval_belongs_where_its_middle_lies(tmp_path: Path) -> None:
    path = recorded(tmp_path, seconds(5))
    found = total(path, Filter(), 1.01, 2.99)
    assert (found.intervals, found.snapshot.start) == (2, 1001.0)
    with pytest.raises(BpfexitError, match=r"it lasts 5\.0 s"):
        total(path, Filter(), 7)


@pytest.mark.parametrize("name", ["exits.jsonl", "exits.jsonl.gz"])
def test_cut_at_every_byte_it_gives_the_whole_intervals(tmp_path: Path, name: str) -> None:
    ends = [recorded(tmp_path, seconds(n), name).stat().st_size for n in range(4)]
    data = (tmp_path / name).read_bytes()
    path = tmp_path / f"cut-{name}"
    for length in range(len(data)):
        path.write_bytes(data[:length])
        whole = max(0, sum(end <= length for end in ends) - 1)
        try:
            found = total(path, Filter())
        except BpfexitError:
            assert whole == 0
            continue
        # A newline, or the checksum of a member, may be all that is missing.
        assert found.intervals in (whole, whole + 1)
        assert tally(found.snapshot) == tally(merged(seconds(found.intervals)))
        assert found.cut or length in ends or data[length : length + 1] == b"\n"


@pytest.mark.parametrize("junk", [b"\0" * 9, b"\0\0junk", b"\x1f\x8b\x08\xff"])
def test_what_a_reset_left_behind_the_last_member_is_told_of(tmp_path: Path, junk: bytes) -> None:
    path = recorded(tmp_path, seconds(2), "exits.gz")
    whole = path.read_bytes()
    path.write_bytes(whole + junk)
    found = total(path, Filter())
    assert found.intervals == 2
    (note,) = found.notes
    assert f"is damaged in {len(junk)} compressed bytes, from byte {len(whole):,} on" in note
