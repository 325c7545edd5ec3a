"""Data arrives or is an error; talk arrives or is dropped; neither waits for ever."""

import fcntl
import os
import threading
import time
from collections.abc import Iterator

import pytest

from bpfexit.errors import BpfexitError
from bpfexit.streams import Data, ReaderGoneError, Talk

F_SETPIPE_SZ = 1031
BIG = bytes(range(256)) * 256


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Return a reader and a writer; the pipe takes one page."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, F_SETPIPE_SZ, 4096)
    yield reader, writer
    for fd in (reader, writer):
        try:
            os.close(fd)
        except OSError:
            continue


@pytest.fixture
def asked_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Data, "asked_to_end_at", time.monotonic())


@pytest.fixture
def full() -> Iterator[int]:
    fd = os.open("/dev/full", os.O_WRONLY)
    yield fd
    os.close(fd)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no reader taken for stalled, as it would be on a machine that stalls."""
    monkeypatch.setattr("bpfexit.streams.PATIENCE_S", 60.0)


def write_all(stream: Data, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[stream.write(left) :]


def read_all(reader: int) -> bytes:
    found = b""
    while part := os.read(reader, 1000):
        found += part
    return found


def test_data_on_a_full_disk_is_an_error(full: int) -> None:
    with pytest.raises(BpfexitError, match="cannot write to standard output: No space left"):
        Data(full).write(b"x")


def test_data_whose_reader_has_gone_is_no_error_of_ours(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.close(reader)
    with pytest.raises(ReaderGoneError):
        Data(writer).write(b"x")


def test_a_terminal_that_is_hung_up_is_a_reader_that_has_gone() -> None:
    master, slave = os.openpty()
    data = Data(slave)
    os.close(master)
    with pytest.raises(ReaderGoneError):
        data.write(b"x")
    os.close(slave)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("blocking", [True, False])
def test_a_slow_reader_gets_all_data_even_at_the_end(
    pipe: tuple[int, int], asked_to_end: None, blocking: bool
) -> None:
    reader, writer = pipe
    os.set_blocking(writer, blocking)

    def write_and_close() -> None:
        try:
            write_all(Data(writer), BIG)
        finally:
            os.close(writer)

    thread = threading.Thread(target=write_and_close)
    thread.start()
    assert read_all(reader) == BIG
    thread.join()


def test_data_for_a_stalled_reader_is_given_up_at_the_end(
    pipe: tuple[int, int], asked_to_end: None
) -> None:
    with pytest.raises(BpfexitError, match="nothing reads standard output"):
        write_all(Data(pipe[1]), BIG)


def test_talk_that_cannot_be_written_is_dropped(full: int, pipe: tuple[int, int]) -> None:
    assert Talk(full).write(BIG) == len(BIG)
    reader, writer = pipe
    os.close(reader)
    assert Talk(writer).write(BIG) == len(BIG)


def test_talk_to_a_stalled_reader_is_dropped_until_it_reads_again(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    talk = Talk(writer)
    assert talk.write(BIG) == len(BIG)
    assert os.read(reader, len(BIG)) == BIG[:4096]
    assert talk.write(b"again") == 5
    assert os.read(reader, len(BIG)) == b"again"


def test_a_stalled_reader_of_talk_is_waited_for_once(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    waited = []

    def writable(fd: int, seconds: float) -> bool:
        waited.append(seconds)
        return False

    monkeypatch.setattr("bpfexit.streams._writable", writable)
    talk = Talk(pipe[1])
    for _ in range(3):
        talk.write(b"x")
    assert waited[0] > 0
    assert waited[1:] == [0, 0]


@pytest.mark.usefixtures("patient")
def test_all_talk_arrives_at_a_slow_reader(pipe: tuple[int, int]) -> None:
    reader, writer = pipe

    def write_and_close() -> None:
        try:
            Talk(writer).write(BIG)
        finally:
            os.close(writer)

    thread = threading.Thread(target=write_and_close)
    thread.start()
    assert read_all(reader) == BIG
    thread.join()
