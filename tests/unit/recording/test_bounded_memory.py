"""Whatever a small file blows up to, reading it ends within 512 MiB, with one sentence."""

import gzip
import sys
import zlib
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path

import numpy as np
import pytest

from bpfexit.events.access import Access
from bpfexit.events.mmio import MMIO
from bpfexit.formats.json import guest as guest_json
from bpfexit.formats.json import recording as recording_json
from bpfexit.formats.json import snapshot as snapshot_json
from bpfexit.formats.json.snapshot import encode, pieces
from bpfexit.model.histograms import Histograms
from bpfexit.model.rows import Rows, no_rows
from bpfexit.model.snapshot import VCPU_FIELDS, Snapshot
from bpfexit.names.reasons import Isa
from bpfexit.recording.lines import LONGEST
from tests.peak import BPFEXIT, run
from tests.unit.builders import snapshot

MOST_MIB = 512

_PIECE = 1 << 20
_LISTS = b"[]," * (_PIECE // 3)
_OBJECTS = b'{"a":0},' * (_PIECE // 8)


def _many(piece: bytes, size: int = 120 << 20) -> Iterator[bytes]:
    """Yield a piece again and again, up to so many bytes: less than a line may have."""
    return iter(repeat(piece, size // len(piece)))


def _lists() -> Iterator[bytes]:
    yield b"["
    yield from _many(_LISTS)


def _objects() -> Iterator[bytes]:
    yield b"["
    yield from _many(_OBJECTS)


def _rows_of_lists() -> Iterator[bytes]:
    yield f'{{"schema":"{snapshot_json.SCHEMA}","vcpus":[],"rows":['.encode()
    yield from _many(_LISTS)


def _one_huge_row() -> Iterator[bytes]:
    yield f'{{"schema":"{snapshot_json.SCHEMA}","vcpus":[],"rows":[{{"hist":['.encode()
    yield from _many(_LISTS)


def _fields_of_lists() -> Iterator[bytes]:
    yield f'{{"schema":"{snapshot_json.SCHEMA}","vcpus":[],"rows":[],"ended":['.encode()
    yield from _many(_LISTS)


def _guest_of_lists() -> Iterator[bytes]:
    yield f'{{"schema":"{guest_json.SCHEMA}","regions":['.encode()
    yield from _many(_LISTS)


def _header_of_lists() -> Iterator[bytes]:
    yield f'{{"schema":"{recording_json.SCHEMA}","guests":['.encode()
    yield from _many(_LISTS)


def _names() -> Iterator[bytes]:
    """Yield vCPUs that are all right, each of another guest."""
    yield f'{{"schema":"{snapshot_json.SCHEMA}","rows":[],"vcpus":['.encode()
    for number in range(800_000):
        yield b'{"vm":"%x","pid":1,"tid":1,"vcpu":0,"guest_ns":0},' % number


def _wide() -> Iterator[bytes]:
    """Yield a line in which one character takes four bytes."""
    yield '{"\U0001f600":"'.encode()
    yield from _many(b" " * _PIECE)


def _endless() -> Iterator[bytes]:
    return _many(b" " * _PIECE, 2 * LONGEST)


def _guests() -> Iterator[bytes]:
    """Yield guests that live, each with a line of its own."""
    for pid in range(300_000):
        yield (
            b'{"schema":"bpfexit.guest/1","pid":%d,"name":"","named_by":"","vmm":"","options":[],'
            b'"mapped_by":null,"ended":false,"regions":[]}\n' % pid
        )


HOSTILE: list[Callable[[], Iterator[bytes]]] = [
    _lists,
    _objects,
    _rows_of_lists,
    _one_huge_row,
    _fields_of_lists,
    _guest_of_lists,
    _header_of_lists,
    _names,
    _wide,
    _endless,
    _guests,
]


def written(path: Path, text: Iterator[bytes]) -> Path:
    """Write a gzip file, which stays small."""
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.writelines(text)
    return path


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.__name__)
def test_a_hostile_recording_is_refused_in_one_sentence_within_512_mib(
    tmp_path: Path, hostile: Callable[[], Iterator[bytes]]
) -> None:
    path = written(tmp_path / "bomb.jsonl.gz", hostile())
    ended = run([*BPFEXIT, "report", str(path)])
    assert ended.code == 1, ended.errors
    assert ended.errors.count("\n") == 1
    assert ended.errors.startswith("bpfexit: ")
    assert "bomb.jsonl.gz" in ended.errors
    print(f"{ended.peak_mib} MiB: {ended.errors}")
    assert ended.peak_mib < MOST_MIB


MOST_APPENDING_MIB = 160


def test_a_member_that_blows_up_is_appended_to_within_its_block(tmp_path: Path) -> None:
    member = zlib.compressobj(wbits=31)
    blocks = [member.compress(b" " * _PIECE) for _ in range(400)]
    path = tmp_path / "bomb.jsonl.gz"
    path.write_bytes(b"".join([*blocks, member.flush()]))
    program = (
        "import os, sys; from bpfexit.recording.tail import readable_members; "
        "fd = os.open(sys.argv[1], os.O_RDONLY); "
        "sys.exit(readable_members(fd) != os.fstat(fd).st_size)"
    )
    ended = run([sys.executable, "-c", program, str(path)])
    assert ended.code == 0, ended.errors
    assert ended.peak_mib < MOST_APPENDING_MIB


def _guests_that_add_up() -> Iterator[bytes]:
    """Yield intervals that may each be read, of guests that are all different."""
    for first in range(0, 900_000, 300_000):
        before, after = encode(snapshot()).encode().split(b'"vcpus":[]')
        yield before + b'"vcpus":['
        yield b",".join(
            b'{"vm":"%x","pid":1,"tid":1,"vcpu":0,"guest_ns":0}' % number
            for number in range(first, first + 300_000)
        )
        yield b"]" + after + b"\n"


def test_intervals_that_add_up_to_too_much_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "sum.jsonl.gz", _guests_that_add_up())
    ended = run([*BPFEXIT, "report", str(path)])
    assert ended.code == 1
    assert ended.errors.count("\n") == 1
    assert "MiB of memory when they are added up" in ended.errors
    assert ended.peak_mib < MOST_MIB


def test_200_000_rows_are_read_within_512_mib(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with path.open("w") as file:
        for _ in range(2):
            file.writelines([*pieces(many_rows(200_000)), "\n"])
    ended = run([*BPFEXIT, "report", "-n", "20", str(path)])
    assert (ended.code, ended.errors) == (0, "")
    print(f"{ended.peak_mib} MiB")
    assert ended.peak_mib < MOST_MIB


def many_rows(n: int, buckets: int = 14) -> Snapshot:
    """Return a snapshot of an MMIO address per row, with as many buckets in use each."""
    place = np.arange(n)
    fields = no_rows(n).fields
    fields["tid"] = 1_234_567
    fields["isa"], fields["kind"], fields["access"] = Isa.SVM, MMIO, Access.READ
    fields["address"] = 0xFEE00000 + 4 * place
    fields["count"] = fields["timed"] = 3 * buckets
    fields["total_ns"] = 1_234_567
    bucket = np.tile(np.arange(30, 30 + buckets, dtype=np.uint8), n)
    counts = np.full(n * buckets, 3, np.uint64)
    hist = Histograms(n, np.repeat(place, buckets).astype(np.uint32), bucket, counts)
    vcpus = np.array([(0, 0, 1_234_567, 0, 1, 0, 0, 0, 0, False)], VCPU_FIELDS)
    return Snapshot(0.0, 1.0, Rows(fields, hist), vcpus, ("web",), ("npf",))
