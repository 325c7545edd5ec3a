"""A damaged gzip recording gives every interval whose member is whole, and says what is not."""

import gzip
import io
import random
import re
import zlib
from pathlib import Path

import pytest

from bpfexit.formats.json import snapshot as snapshot_json
from bpfexit.model.filter import Filter
from bpfexit.model.snapshot import Snapshot
from bpfexit.recording import gzip_members
from bpfexit.recording.gzip_members import End, GzipMembers
from bpfexit.recording.lines import Lines
from bpfexit.recording.reader import RecordingSource
from tests.unit.builders import pio, snapshot


def interval(number: int) -> Snapshot:
    exits = [pio(port, ns=(number, port)) for port in range(number % 3 * 20 + 1)]
    return snapshot(*exits, start=1000.0 + number)


def members(number: int) -> list[bytes]:
    lines = [f"{snapshot_json.encode(interval(n))}\n".encode() for n in range(number)]
    return [gzip.compress(line, mtime=0) for line in lines]


def starts(path: Path, data: bytes) -> tuple[list[float], list[str]]:
    """Return when the intervals began that can be read, and the notes."""
    path.write_bytes(data)
    source = RecordingSource(path, Filter())
    found = []
    for each in iter(source.next, None):
        assert snapshot_json.encode(each) == snapshot_json.encode(interval(int(each.start) - 1000))
        found.append(each.start)
    return found, source.notes()


@pytest.mark.parametrize("seed", range(200))
def test_a_flipped_byte_costs_one_interval(tmp_path: Path, seed: int) -> None:
    chosen = random.Random(seed)  # noqa: S311 - any bytes will do
    parts = members(9)
    at = chosen.randrange(9)
    part = bytearray(parts[at])
    place = chosen.randrange(len(part))
    part[place] ^= 1 << chosen.randrange(8)
    damaged = [*parts[:at], bytes(part), *parts[at + 1 :]]
    found, notes = starts(tmp_path / "exits.gz", b"".join(damaged))
    if is_whole(bytes(part)):
        assert (found, notes) == ([1000.0 + n for n in range(9)], [])
        return
    told = " ".join(notes)
    others = [1000.0 + n for n in range(9) if n != at]
    # Where only the mark of the data's end is damaged, the line is there, and more seems to follow.
    assert found == others or (
        found == [1000.0 + n for n in range(9)] and "from a damaged block" in told
    )
    before = len(b"".join(parts[:at]))
    assert f"from byte {before:,} on" in told or "ends within a compressed block" in told


def is_whole(part: bytes) -> bool:
    """Say whether the byte does not matter: the time, or the bits after the last code."""
    try:
        return bool(gzip.decompress(part))
    except (OSError, EOFError, zlib.error):
        return False


@pytest.mark.parametrize("gone", [1, 5, 20, 300])
def test_a_member_that_was_cut_and_appended_to_costs_itself(tmp_path: Path, gone: int) -> None:
    parts = members(4)
    damaged = [parts[0], parts[1], parts[2][:-gone], parts[3]]
    found, notes = starts(tmp_path / "exits.gz", b"".join(damaged))
    assert found == [1000.0, 1001.0, 1003.0]
    # What follows a cut member may decode to garbage before it is noticed: that is skipped, too.
    assert any(" is damaged in " in note for note in notes)


def test_zeros_between_members_are_told_of(tmp_path: Path) -> None:
    parts = members(2)
    found, notes = starts(tmp_path / "exits.gz", parts[0] + b"\0" * 5000 + parts[1])
    assert found == [1000.0, 1001.0]
    assert "is damaged in 5,000 compressed bytes" in notes[0]


def test_one_large_member_gives_what_is_before_the_damage_and_says_so(tmp_path: Path) -> None:
    text = b"".join(map(gzip.decompress, members(600)))
    data = bytearray(gzip.compress(text, mtime=0))
    data[len(data) // 2 : len(data) // 2 + 9] = b"\xff" * 9
    found, notes = starts(tmp_path / "exits.gz", bytes(data))
    assert 100 < len(found) < 500
    assert found == [1000.0 + n for n in range(len(found))]
    told = re.search(r": (\d+) lines come from a damaged block", notes[-1])
    assert told
    assert int(told[1]) >= len(found)


def test_lines_of_a_member_wait_for_its_checksum() -> None:
    data = bytearray(gzip.compress(b"one\n", mtime=0))
    data[-6] ^= 1  # the checksum
    data += gzip.compress(b"two\n")
    lines = Lines(io.BytesIO(data).read, compressed=True)
    assert [line.data for line in lines] == [b"two"]


def test_a_line_may_go_on_in_the_next_member() -> None:
    data = gzip.compress(b"one\ntw") + gzip.compress(b"o\n")
    lines = Lines(io.BytesIO(data).read, compressed=True)
    assert [line.data for line in lines] == [b"one", b"two"]


@pytest.mark.parametrize("block", [1, 7, 4096])
def test_how_the_file_is_read_makes_no_difference(block: int) -> None:
    parts = members(6)
    data = io.BytesIO(parts[0] + b"junk" + parts[1] + parts[2][:-3] + parts[3] + parts[4][:-3])
    found = [*GzipMembers(lambda _: data.read(block)).pieces()]
    ends = [each for each in found if isinstance(each, End)]
    assert ends == [End.WHOLE, End.BROKEN, End.WHOLE, End.BROKEN, End.WHOLE, End.CUT]


def test_a_hostile_file_is_decompressed_once_and_a_bounded_part_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Members within members, all of them broken: without a limit, the work is quadratic."""
    monkeypatch.setattr(gzip_members, "_RESCAN_LIMIT", 1 << 16)
    head = b"\x1f\x8b\x08\0\0\0\0\0\0\x03"
    block = b"\0\xff\xff\0\0"  # stored, 65535 bytes
    inside = (head + block) * 4369
    data = (head + block + inside) * 8
    file = GzipMembers(io.BytesIO(data).read)
    produced = sum(len(each) for each in file.pieces() if isinstance(each, bytes))
    assert produced < 3 * len(data)
