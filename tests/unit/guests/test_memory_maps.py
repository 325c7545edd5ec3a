"""The thread that reads memory maps: no interval waits for it, and it ends when it is told to."""

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bpfexit.errors import BpfexitError
from bpfexit.events.pio import PIO
from bpfexit.events.region import Region
from bpfexit.guests.guests import Guests, living_guests
from bpfexit.guests.maps import libvirt, memory_maps, qmp
from bpfexit.guests.maps.memory_maps import MemoryMaps
from bpfexit.guests.maps.qmp import Answer
from bpfexit.guests.maps.qmp_socket import MapSources, Socket
from bpfexit.host.bounded_run import bounded_run
from bpfexit.host.cancel import Cancel, CancelledError
from bpfexit.model.guest import Guest, Identity, NameSource
from tests.unit.fake_processes import put
from tests.unit.guests.keyed import key, keyed

A, B = Guest(1, "a"), Guest(2, "b")
MAP = (Region(PIO, 0x70, 0x71, "rtc"),)
PATIENCE_S = 60.0
SOCKETS = MapSources((Socket("a", "q"), Socket("b", "q")))
LIBVIRT = MapSources((), libvirt=True)


@pytest.fixture(autouse=True)
def no_thread_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Wait for the thread as long as a busy machine takes: it always answers, and ends."""
    monkeypatch.setattr(memory_maps, "FIRST_WAIT_S", PATIENCE_S)
    monkeypatch.setattr(memory_maps, "LAST_WAIT_S", PATIENCE_S)
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name == "memory-maps"] == []


class Sources:
    """QMP sockets that answer only when they are let; what went on in the thread."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()
        self.answers: dict[str, Answer | BpfexitError] = {}
        self.asked = threading.Event()
        self.mask: set[Any] = set()

    def ask(
        self, sockets: Sequence[Socket], cancel: Cancel, take: Callable[[int, qmp.Outcome], object]
    ) -> None:
        self.mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        if sockets:
            self.asked.set()
            with cancel.ending(self.may_answer.set):
                assert self.may_answer.wait(PATIENCE_S)
            if cancel.cancelled:
                raise CancelledError
        for index, each in enumerate(sockets):
            take(index, Answer(A.pid if each.guest == "a" else B.pid, "", MAP))


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> Sources:
    made = Sources()
    monkeypatch.setattr(qmp, "ask", made.ask)
    return made


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_maps, "FIRST_WAIT_S", 0.0)


def seen(*pids: int) -> dict[Identity, bool]:
    return {Identity(pid): True for pid in pids}


def until(condition: Callable[[], object]) -> None:
    """Wait until it is true, as long as it may take a busy machine."""
    wait = threading.Event()
    for _ in range(int(PATIENCE_S / 0.01)):
        if condition():
            return
        wait.wait(0.01)
    raise AssertionError("it never became true")


def test_the_first_answers_are_there_at_the_start(sources: Sources) -> None:
    sources.may_answer.set()
    maps = MemoryMaps(SOCKETS, print, keyed(A))
    try:
        assert maps(keyed(A)) == {key(A): (MAP, NameSource.QMP)}
    finally:
        maps.close()


@pytest.mark.usefixtures("impatient")
def test_intervals_do_not_wait_and_a_map_appears_in_one_that_follows(sources: Sources) -> None:
    maps = MemoryMaps(SOCKETS, print, keyed(A))
    assert sources.asked.wait(PATIENCE_S)
    for _ in range(1000):
        assert maps(keyed(A, B)) == {}
    sources.may_answer.set()
    until(lambda: len(maps(keyed(A, B))) == 2)
    maps.close()


@pytest.mark.usefixtures("impatient")
def test_a_guest_that_starts_wakes_the_thread(sources: Sources) -> None:
    sources.may_answer.set()
    maps = MemoryMaps(SOCKETS, print, keyed(A))
    until(lambda: maps(keyed(A)))
    until(lambda: maps(keyed(A, B)).get(key(B)))
    maps.close()


@pytest.mark.usefixtures("impatient")
def test_the_end_cancels_what_is_waited_for_and_tells_it(sources: Sources) -> None:
    told: list[str] = []
    maps = MemoryMaps(SOCKETS, told.append, keyed(A))
    assert sources.asked.wait(PATIENCE_S)
    maps.close()
    assert maps(keyed(A)) == {}
    waiting, silent = told
    assert waiting == "--qmp: guest 'b' is not running; waiting for it"
    assert silent.startswith("--qmp q: no answer before the end: such a socket serves one client")


@pytest.mark.usefixtures("impatient")
def test_no_signal_is_delivered_to_the_thread(sources: Sources) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    maps = MemoryMaps(SOCKETS, print, keyed(A))
    assert sources.asked.wait(PATIENCE_S)
    maps.close()
    assert {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGWINCH} <= sources.mask
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


def test_notes_are_printed_by_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    failure = BpfexitError("--qmp q: no")
    monkeypatch.setattr(qmp, "ask", lambda sockets, _, take: sockets and take(0, failure))
    told: list[tuple[str, threading.Thread]] = []
    maps = MemoryMaps(
        MapSources((Socket("a", "q"),)),
        lambda note: told.append((note, threading.current_thread())),
        keyed(A),
    )
    maps(keyed(A))
    assert told == [("--qmp q: no", threading.main_thread())]
    assert maps.failures() == ("--qmp q: no",)
    maps.close()
    assert len(told) == 1


def test_a_bug_in_the_thread_costs_no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    crashes: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", crashes.append)
    monkeypatch.setattr(qmp, "ask", lambda *_: 1 / 0)
    monkeypatch.setattr(memory_maps, "FIRST_WAIT_S", 1e6)
    maps = MemoryMaps(SOCKETS, print, keyed(A))
    assert maps(keyed(A)) == {}
    maps.close()
    assert [crash.exc_type for crash in crashes] == [ZeroDivisionError]


class SilentServer:
    """Unix sockets that take a client and never say a word."""

    def __init__(self, folder: Path, number: int) -> None:
        self.sockets = []
        self.paths = [folder / f"silent{each}" for each in range(number)]
        for path in self.paths:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(path))
            listener.listen(1)
            self.sockets.append(listener)

    def accept_all(self) -> list[socket.socket]:
        return [listener.accept()[0] for listener in self.sockets]

    def close(self) -> None:
        for listener in self.sockets:
            listener.close()


@pytest.mark.usefixtures("impatient")
def test_intervals_go_on_beside_ten_sockets_that_never_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qmp, "TIMEOUT_S", PATIENCE_S)
    put(tmp_path, 4711, "qemu", "-name", "web")
    server = SilentServer(tmp_path, 10)
    sources = MapSources(tuple(Socket("web", str(path)) for path in server.paths))
    known = Guests(MemoryMaps(sources, print, living_guests([4711], tmp_path)), tmp_path)
    clients = server.accept_all()
    for _ in range(100):
        (guest,) = known.update(seen(4711))
        assert guest.mapped_by is None
    assert known.failures() == ()  # nobody has lost patience yet
    known.close()  # which closes the connections: the servers read nothing but their end
    for client in clients:
        client.settimeout(PATIENCE_S)
        while client.recv(4096):
            pass
        client.close()
    server.close()


@pytest.mark.usefixtures("impatient")
def test_fifty_guests_of_a_slow_libvirt_get_their_maps_while_intervals_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = range(1000, 1050)
    for pid in pids:
        put(tmp_path, pid, "qemu", "-name", f"n{pid}")
    steps = threading.Semaphore(0)

    def memory_map(uuid: str, cancel: Cancel) -> tuple[Region, ...]:
        with cancel.ending(steps.release):
            assert steps.acquire(timeout=PATIENCE_S)
        return MAP

    monkeypatch.setattr(libvirt, "domains", lambda _: {f"n{pid}": str(pid) for pid in pids})
    monkeypatch.setattr(libvirt, "memory_map", memory_map)
    known = Guests(MemoryMaps(LIBVIRT, print, {}), tmp_path)
    for number in range(51):
        until_mapped(known, pids, number)
        assert mapped(known.update(seen(*pids))) == number
        steps.release()
    known.close()


def until_mapped(known: Guests, pids: Sequence[int], number: int) -> None:
    until(lambda: mapped(known.update(seen(*pids))) == number)


def mapped(guests: Sequence[Guest]) -> int:
    return sum(guest.mapped_by is NameSource.LIBVIRT for guest in guests)


@pytest.mark.usefixtures("impatient")
def test_a_virsh_that_hangs_is_killed_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid_file = tmp_path / "pid"
    script = f"echo $$ > {pid_file}.new; mv {pid_file}.new {pid_file}; sleep 3600 & wait"

    def hang(cancel: Cancel) -> dict[str, str]:
        bounded_run(["sh", "-c", script], os.environ, 3600.0, 1, cancel)
        raise AssertionError("it was not cancelled")

    monkeypatch.setattr(libvirt, "domains", hang)
    told: list[str] = []
    maps = MemoryMaps(LIBVIRT, told.append, keyed(A))
    until(pid_file.exists)
    maps.close()
    session = int(pid_file.read_text())
    until(lambda: not running_in_session(session))
    assert told == ["--libvirt: no answer for 1 of the guests before the end"]


def running_in_session(session: int) -> list[str]:
    done = subprocess.run(
        ["ps", "-o", "pid=,stat=", "-s", str(session)],
        capture_output=True,
        text=True,
        check=False,
    )
    return [line for line in done.stdout.splitlines() if "Z" not in line.split()[1]]


def test_a_socket_is_not_even_asked_once_cancelled() -> None:
    cancel = Cancel()
    cancel.cancel()
    with pytest.raises(CancelledError):
        qmp.ask([Socket("", "q")], cancel)
