"""QMP over real sockets, against servers that answer, refuse, hang, vanish and talk rubbish."""

import asyncio
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from bpfexit.errors import BpfexitError
from bpfexit.guests.maps import qmp
from bpfexit.guests.maps.qmp_socket import Socket
from tests.unit.guests.test_mtree import FOUND, TEXT

GREETING = b'{"QMP": {"version": {"qemu": {"major": 7}}, "capabilities": []}}\r\n'
SHORT_S = 0.4
"""For servers that hang: those that answer have `PATIENCE_S`."""

PATIENCE_S = 60.0

Answerer = Callable[[socket.socket], None]


class Server:
    """A Unix socket whose every client is given to a function, in a thread."""

    def __init__(self, path: Path, answer: Answerer) -> None:
        self.path = path
        self._answer = answer
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen(1)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                with client, suppress(OSError):
                    self._answer(client)

    def close(self) -> None:
        self._socket.close()


Serve = Callable[[Answerer], Socket]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Return what starts a server and gives its socket, as the user would name it."""
    with ExitStack() as stack:

        def started(answer: Answerer) -> Socket:
            server = Server(tmp_path / f"q{len(os.listdir(tmp_path))}", answer)
            stack.callback(server.close)
            return Socket("", str(server.path))

        yield started


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a server in a thread of this process the time that a busy machine takes."""
    monkeypatch.setattr(qmp, "TIMEOUT_S", PATIENCE_S)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qmp, "TIMEOUT_S", SHORT_S)


def requests(client: socket.socket) -> Iterator[Any]:
    """Yield what the client sends, one JSON object after another, with nothing between them."""
    text = ""
    while data := client.recv(65536):
        text += data.decode()
        with suppress(json.JSONDecodeError):
            while text:
                request, end = json.JSONDecoder().raw_decode(text)
                text = text[end:].lstrip()
                yield request


def qemu(
    client: socket.socket, tree: object = TEXT, name: object = None, before: bytes = b""
) -> None:
    """Answer as QEMU does; keep what was asked."""
    client.sendall(GREETING)
    answers = {
        "qmp_capabilities": {},
        "query-name": {"name": "web01"} if name is None else name,
        "human-monitor-command": tree,
    }
    for request in requests(client):
        answer = {"return": answers[request["execute"]], "id": request.get("id")}
        events = b"" if request["execute"] == "qmp_capabilities" else before
        client.sendall(events + json.dumps(answer).encode() + b"\r\n")


def why(of: Socket) -> str:
    """Return why there is no answer, which is one line about that socket."""
    (answer,) = qmp.ask([of])
    assert isinstance(answer, BpfexitError)
    text = str(answer)
    assert text.startswith(f"--qmp {of.path}: ")
    assert text.isprintable()
    return text


def test_a_qemu_gives_its_map_its_name_and_its_process(serve: Serve) -> None:
    assert qmp.ask([serve(qemu)]) == [qmp.Answer(os.getpid(), "web01", FOUND)]


def test_only_what_reads_is_asked(serve: Serve) -> None:
    asked = []

    def keeps(client: socket.socket) -> None:
        client.sendall(GREETING)
        for request in requests(client):
            asked.append(request)
            result = json.dumps({"return": TEXT, "id": asked[-1].get("id")})
            client.sendall(result.encode() + b"\n")

    qmp.ask([serve(keeps)])
    assert [request["execute"] for request in asked] == [
        *("qmp_capabilities", "query-name", "human-monitor-command")
    ]
    assert asked[-1]["arguments"] == {"command-line": "info mtree -f"}


def test_a_qemu_without_a_name_is_no_failure(serve: Serve) -> None:
    assert qmp.ask([serve(lambda client: qemu(client, name={}))]) == [
        qmp.Answer(os.getpid(), "", FOUND)
    ]


def test_events_in_between_do_not_matter(serve: Serve) -> None:
    event = b'{"event": "RTC_CHANGE", "timestamp": {"seconds": 1, "microseconds": 2}}\r\n'
    (answer,) = qmp.ask([serve(lambda client: qemu(client, before=event * 99))])
    assert isinstance(answer, qmp.Answer)


def test_no_sockets_no_answers() -> None:
    assert qmp.ask([]) == []


def test_a_server_that_hangs_costs_the_others_nothing(serve: Serve) -> None:
    """The time of those that hang is over as soon as there is an outcome of any."""
    hangs = threading.Event()

    def hang(client: socket.socket) -> None:
        hangs.wait()

    dead = serve(hang)
    taken: list[int] = []

    def take(index: int, _: object) -> None:
        taken.append(index)
        loop = asyncio.get_running_loop()
        later = loop.time() + PATIENCE_S
        loop.time = lambda: later  # type: ignore[method-assign]

    answers = qmp.ask([dead, serve(qemu), dead], take=take)
    hangs.set()
    assert taken[0] == 1  # it does not wait for the others
    assert sorted(taken) == [0, 1, 2]
    assert [isinstance(each, qmp.Answer) for each in answers] == [False, True, False]
    assert "one client at a time" in str(answers[0])
    assert "--libvirt" in str(answers[0])


@pytest.mark.usefixtures("short")
def test_another_client_that_holds_the_socket_is_mentioned(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = serve(qemu)
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(held.path)
        assert other.recv(3) == GREETING[:3]
        assert "another one (libvirt?) may use it" in why(held)
    monkeypatch.setattr(qmp, "TIMEOUT_S", PATIENCE_S)
    assert isinstance(qmp.ask([held])[0], qmp.Answer)


@pytest.mark.usefixtures("short")
def test_a_server_that_hangs_after_its_greeting_has_its_end_too(serve: Serve) -> None:
    hangs = threading.Event()

    def greets(client: socket.socket) -> None:
        client.sendall(GREETING)
        hangs.wait()

    assert "no answer within" in why(serve(greets))
    hangs.set()


def test_a_server_that_closes_is_said(serve: Serve) -> None:
    assert "closed before it answered" in why(serve(lambda _: None))
    assert "closed before it answered" in why(serve(lambda client: client.sendall(GREETING)))


@pytest.mark.parametrize(
    "rubbish",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x00\xff\xfe\n" * 9,
        b"[" * 100_000 + b"\n",
        b'{"QMP": 5}\n',
        b"{}\n",
        GREETING + b"\x1b[2J\n" * 5,
        GREETING + b'{"return": {}}\n' * 5,
    ],
)
@pytest.mark.usefixtures("short")
def test_rubbish_is_one_harmless_line(serve: Serve, rubbish: bytes) -> None:
    assert why(serve(lambda client: client.sendall(rubbish)))


def endless(data: bytes, client: socket.socket) -> None:
    client.sendall(GREETING)
    client.recv(4096)
    client.sendall(b'{"return": {}}\n')
    while True:
        client.sendall(data)


@pytest.mark.parametrize("data", [b"x" * 65536, b'{"event": "A"}\n' * 4096, b"{}\n" * 9999])
@pytest.mark.usefixtures("short")
def test_endless_data_ends(serve: Serve, data: bytes) -> None:
    assert why(serve(lambda client: endless(data, client)))


@pytest.mark.parametrize("tree", ["", "unknown command: 'info mtree'", {}, None, 5, ["x"]])
def test_an_answer_without_a_map_is_said(serve: Serve, tree: object) -> None:
    assert "contains no memory map" in why(serve(lambda client: qemu(client, tree)))


def test_a_refusal_is_said_but_not_in_the_servers_words(serve: Serve) -> None:
    def refuses(client: socket.socket) -> None:
        client.sendall(GREETING)
        for request in requests(client):
            done = (
                {"return": {}}
                if request["execute"] == "qmp_capabilities"
                else {"error": {"class": "GenericError", "desc": "\x1b[2J no"}}
            )
            client.sendall(json.dumps({**done, "id": request.get("id")}).encode() + b"\n")

    assert "QEMU refuses" in why(serve(refuses))


def test_what_is_not_there_or_no_socket_is_said(tmp_path: Path, serve: Serve) -> None:
    assert "no such socket" in why(Socket("", str(tmp_path / "none")))
    (tmp_path / "file").touch()
    assert "not a Unix socket" in why(Socket("", str(tmp_path / "file")))
    path = tmp_path / "dead"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert "no process listens" in why(Socket("", str(path)))
    assert why(Socket("", f"{tmp_path}/{'x' * 200}"))


def test_nothing_is_logged(serve: Serve, capfd: pytest.CaptureFixture[str]) -> None:
    why(serve(lambda client: client.sendall(b"rubbish\n")))
    assert capfd.readouterr() == ("", "")
