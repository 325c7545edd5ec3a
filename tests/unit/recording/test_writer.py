"""The recorder leaves whole intervals, whatever happens; what is mutated never crashes a reader."""

import gzip
import os
import random
from pathlib import Path

import pytest

from bpfexit.errors import BpfexitError
from bpfexit.formats.json import guest as guest_json
from bpfexit.formats.json.snapshot import encode
from bpfexit.model.filter import Filter
from bpfexit.recording.reader import RecordingSource
from bpfexit.recording.total import total
from bpfexit.recording.writer import Recorder
from tests.unit.builders import pio, snapshot
from tests.unit.recording.written import NAMES, header, recorded

MUTATIONS = 5000


"""Settings, CPU flags, and swap space."""


HEADER = 450
"""Bytes at the beginning that hold the header, without which it is no recording."""


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_comes_back(tmp_path: Path, name: str) -> None:
    recorded(tmp_path / name)
    source = RecordingSource(tmp_path / name, Filter())
    assert source.header == header()
    assert total(tmp_path / name, Filter()).intervals == 3


@pytest.mark.parametrize("name", NAMES)
def test_appending_takes_off_what_was_cut(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    data = recorded(path)
    begin = len(recorded(tmp_path / f"one-{name}", 1))
    for length in (*range(begin, len(data), 37), len(data)):
        path.write_bytes(data[:length])
        before = total(path, Filter())
        recorded(path, 2, append=True)
        after = total(path, Filter())
        assert after.cut is None
        # A last line or member may lack nothing but its newline or checksum.
        assert before.intervals + 2 - after.intervals in (0, 1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "junk",
    [
        b"no recording",
        b"root:x:0:0::/root:/bin/sh\n",
        b'{"schema":"else/1"}\n',
        gzip.compress(b"a log\n"),
        b"\x1f\x8b",
        b"\0" * 9,
    ],
)
def test_what_is_no_recording_is_left_alone(tmp_path: Path, name: str, junk: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(junk)
    for append in (False, True):
        with pytest.raises(BpfexitError, match=r"exists|not a bpfexit recording"):
            Recorder(path, header, append)
    assert path.read_bytes() == junk


def test_only_a_file_is_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BpfexitError, match="not a regular file"):
        Recorder(tmp_path / "pipe", header, append=True)
    with pytest.raises(BpfexitError, match="No such file"):
        Recorder(tmp_path / "absent" / "exits", header)


def test_reopened_it_begins_a_new_file(tmp_path: Path) -> None:
    path, old = tmp_path / "exits.gz", tmp_path / "exits.1.gz"
    recorder = Recorder(path, header)
    recorder.write(snapshot(pio(1, ns=(1,))))
    path.rename(old)
    recorder.reopen()
    recorder.write(snapshot(pio(2, ns=(2,))))
    recorder.close()
    assert [total(each, Filter()).intervals for each in (old, path)] == [1, 1]
    assert RecordingSource(path, Filter()).header == header()


def test_a_last_line_without_its_newline_stays(tmp_path: Path) -> None:
    path = tmp_path / "exits.jsonl"
    path.write_bytes(recorded(path)[:-1])
    recorded(path, 2, append=True)
    found = total(path, Filter())
    assert (found.intervals, found.notes) == (5, ())


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_cut_in_its_first_line_begins_anew(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(recorded(path)[:200])
    recorded(path, 2, append=True)
    found = total(path, Filter())
    assert (found.intervals, found.notes) == (2, ())


@pytest.mark.parametrize("name", NAMES)
def test_appending_takes_off_nothing_that_can_be_read(tmp_path: Path, name: str) -> None:
    """A flipped byte made everything after it be taken off."""
    chosen = random.Random(name)  # noqa: S311 - any bytes will do
    path = tmp_path / name
    whole = recorded(path)
    for _ in range(50):
        data = bytearray(whole)
        data[chosen.randrange(HEADER, len(data))] ^= 1 << chosen.randrange(8)
        path.write_bytes(data)
        before = total(path, Filter()).intervals
        recorded(path, 2, append=True)
        assert total(path, Filter()).intervals == before + 2


def test_a_compressed_file_cut_between_two_members_is_told_from_a_whole_one(
    tmp_path: Path,
) -> None:
    path = tmp_path / "exits.jsonl.gz"
    recorder = Recorder(path, header)
    sizes = []
    for n in range(3):
        recorder.write(snapshot(pio(n, ns=(n,)), start=1000.0 + n))
        sizes.append(recorder.size)
    recorder.close()
    data = path.read_bytes()
    assert total(path, Filter()).notes == ()
    assert gzip.decompress(data).count(b"bpfexit.snapshot/") == 3
    for intervals, size in enumerate(sizes, 1):
        path.write_bytes(data[:size])
        found = total(path, Filter())
        assert found.intervals == intervals
        (note,) = found.notes
        assert "has no end mark: it is still being recorded, was not closed, or its end" in note
    recorded(path, 1, append=True)
    assert total(path, Filter()).notes == ()


@pytest.mark.parametrize("name", NAMES)
def test_a_mutated_recording_gives_an_error_or_a_part(tmp_path: Path, name: str) -> None:
    chosen = random.Random(name)  # noqa: S311 - any bytes will do
    data = recorded(tmp_path / name)
    path = tmp_path / f"mutated-{name}"
    outcomes = set()
    for _ in range(MUTATIONS):
        path.write_bytes(mutated(data, name, chosen))
        try:
            found = total(path, Filter())
        except BpfexitError:
            outcomes.add("error")
        else:
            encode(found.snapshot)
            assert all(guest_json.encode(guest) for guest in found.snapshot.guests)
            outcomes.add("part")
    assert outcomes == {"error", "part"}


def mutated(data: bytes, name: str, chosen: random.Random) -> bytes:
    """Change bytes of the file; or of the text that is compressed in it, lines and all."""
    inside = name.endswith(".gz") and chosen.random() < 0.5
    text = bytearray(gzip.decompress(data) if inside else data)
    for _ in range(chosen.randint(1, 3)):
        at, end = sorted(chosen.choices(range(len(text) + 1), k=2))
        new = chosen.choice(
            [chosen.randbytes(1), b"", b"9" * 30, b"null", b'"', b"\n", b"-1e999", text[at:end] * 2]
        )
        text[at : chosen.choice([at, at + 1, end])] = new
    return gzip.compress(text, 1) if inside else bytes(text)
