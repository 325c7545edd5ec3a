"""A full disk, and a file that others empty, change or remove."""

import os
from pathlib import Path

import pytest

from bpfexit.errors import BpfexitError
from bpfexit.model.filter import Filter
from bpfexit.recording.reader import RecordingSource
from bpfexit.recording.total import total
from bpfexit.recording.writer import Recorder
from tests.unit.builders import pio, snapshot
from tests.unit.recording.written import NAMES, WEB, header, recorded


@pytest.mark.parametrize("name", NAMES)
def test_a_full_disk_leaves_whole_intervals(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(tmp_path / name, header)
    recorder.write(snapshot(pio(1, ns=(1,))))
    whole = (tmp_path / name).read_bytes()
    real, left = os.write, [10]

    def write(fd: int, data: bytes) -> int:
        if not left:
            raise OSError(28, "No space left on device")
        return real(fd, data[: left.pop()])

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(BpfexitError, match="No space left on device; it is complete"):
        recorder.write(snapshot(pio(2, ns=(2,))))
    assert (tmp_path / name).read_bytes() == whole


@pytest.mark.parametrize("name", NAMES)
def test_a_full_disk_leaves_no_file_without_an_interval(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither an empty one nor a header alone: they would only block the next recording."""
    path = tmp_path / name

    def write(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        with pytest.raises(BpfexitError, match="No space left on device; nothing was recorded"):
            Recorder(path, header)
    assert not path.exists()
    recorder = Recorder(path, header)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        with pytest.raises(BpfexitError, match="nothing was recorded"):
            recorder.write(snapshot(pio(2, ns=(2,))))
        recorder.close()
    assert not path.exists()
    data = recorded(path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        with pytest.raises(BpfexitError, match="No space left on device"):
            Recorder(path, header, append=True)
    assert path.read_bytes() == data


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_emptied_begins_anew(tmp_path: Path, name: str) -> None:
    """As logrotate does with `copytruncate`."""
    path, old = tmp_path / name, tmp_path / f"old-{name}"
    recorder = Recorder(path, header)
    recorder.write(snapshot(pio(1, ns=(1,)), guests=(WEB,)))
    assert recorder.notes() == []
    old.write_bytes(path.read_bytes())
    os.truncate(path, 0)
    recorder.write(snapshot(pio(2, ns=(2,)), guests=(WEB,)))
    recorder.write(snapshot(pio(3, ns=(3,)), guests=(WEB,)))
    assert recorder.size == path.stat().st_size
    recorder.close()
    assert [total(each, Filter()).intervals for each in (old, path)] == [1, 2]
    source = RecordingSource(path, Filter())
    assert source.header == header()
    assert source.notes() == []  # neither now nor when it has been read to its end
    assert [*iter(source.next, None)]
    assert source.notes() == []
    (note,) = recorder.notes()
    assert note == f"another process has emptied {path}: the recording starts over"
    assert recorder.notes() == []


def test_a_full_disk_extends_no_emptied_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "exits.jsonl"
    recorder = Recorder(path, header)
    recorder.write(snapshot(pio(1, ns=(1,))))

    def write(fd: int, data: bytes) -> int:
        os.truncate(path, 0)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(BpfexitError, match="No space left on device"):
        recorder.write(snapshot(pio(2, ns=(2,))))
    assert path.read_bytes() == b""


@pytest.mark.parametrize("size", [-1, 1])
def test_a_file_that_another_process_changes_ends_the_recording(tmp_path: Path, size: int) -> None:
    path = tmp_path / "exits.jsonl"
    recorder = Recorder(path, header)
    recorder.write(snapshot(pio(1, ns=(1,))))
    os.truncate(path, path.stat().st_size + size)
    data = path.read_bytes()
    with pytest.raises(BpfexitError, match="another process has changed"):
        recorder.write(snapshot(pio(2, ns=(2,))))
    assert path.read_bytes() == data


def test_a_file_that_is_removed_ends_the_recording(tmp_path: Path) -> None:
    path = tmp_path / "exits.jsonl"
    recorder = Recorder(path, header)
    recorder.write(snapshot(pio(1, ns=(1,))))
    path.unlink()
    with pytest.raises(BpfexitError, match="was removed during the recording"):
        recorder.write(snapshot(pio(2, ns=(2,))))
    recorder.close()


def test_a_file_that_is_moved_and_removed_before_it_is_opened_again_is_no_error(
    tmp_path: Path,
) -> None:
    path = tmp_path / "exits.jsonl"
    recorder = Recorder(path, header)
    recorder.write(snapshot(pio(1, ns=(1,))))
    path.unlink()
    recorder.reopen()
    recorder.write(snapshot(pio(2, ns=(2,))))
    recorder.close()
    assert total(path, Filter()).intervals == 1
