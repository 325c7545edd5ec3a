"""`bpfexit.open_recording`, for other programs."""

from pathlib import Path

import pytest

import bpfexit
from bpfexit.errors import BpfexitError
from bpfexit.formats.json.snapshot import encode
from bpfexit.model.rows import FIELDS
from bpfexit.recording.opened import Recording
from tests.unit.builders import pio, snapshot


def write(path: Path, *, end: str = "") -> Path:
    each = (snapshot(pio(0x608, ns=(7,) * count)) for count in (2, 3, 5))
    path.write_text("".join(encode(one) + "\n" for one in each) + end)
    return path


def test_rows_are_structured_arrays(tmp_path: Path) -> None:
    with bpfexit.open_recording(str(write(tmp_path / "run.jsonl"))) as recording:
        rows = [each.rows.fields for each in recording]
        assert recording.notes() == []
        assert recording.header is None
    assert [each.dtype for each in rows] == [FIELDS] * 3
    assert [each["count"].tolist() for each in rows] == [[2], [3], [5]]
    assert [each["total_ns"].tolist() for each in rows] == [[14], [21], [35]]


def test_damage_is_told(tmp_path: Path) -> None:
    with bpfexit.open_recording(write(tmp_path / "run.jsonl", end='{"schema"')) as recording:
        assert sum(each.exits for each in recording) == 2 + 3 + 5
        assert len(recording.notes()) == 1


def test_no_recording_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BpfexitError, match="No such file"):
        bpfexit.open_recording(tmp_path / "absent")


def test_every_field_is_explained() -> None:
    assert all(f"`{name}`" in (Recording.__doc__ or "") for name in FIELDS.names or ())


def test_the_package_is_typed() -> None:
    assert (Path(bpfexit.__file__).parent / "py.typed").is_file()
