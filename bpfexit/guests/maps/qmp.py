"""A guest's memory map over QMP, from a Unix socket that the user named.

QEMU serves one client per socket, and others wait silently; so a socket is held only
for the query, and every wait is limited. Only commands that change nothing are sent.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from stat import S_ISSOCK

from qemu.qmp import ConnectError, ExecInterruptedError, ExecuteError, Message, QMPClient

from bpfexit.errors import BpfexitError
from bpfexit.events.region import Region
from bpfexit.guests.maps import mtree
from bpfexit.guests.maps.qmp_socket import Socket
from bpfexit.host.cancel import Cancel, CancelledError

TIMEOUT_S = 3.0
"""For a whole query: a busy QEMU answers within some ms; sockets are queried in parallel."""

LONGEST_LINE = 2 << 20
"""Maximum bytes of an answer; a memory map has some 10 to 100 KB."""

MOST_MESSAGES = 5000
"""Maximum answers and events for three commands; QEMU sends a handful."""

COMMAND = "info mtree -f"
"""The human monitor's command for the memory map, flat."""

ONE_CLIENT = (
    "such a socket serves one client at a time, and another one (libvirt?) may use it; "
    "give QEMU a second `-qmp unix:PATH,server=on,wait=off`, or use --libvirt"
)
_BUSY = f"no answer within {TIMEOUT_S:.0f} s: {ONE_CLIENT}"
_PEER = struct.Struct("3i")  # struct ucred: pid, uid, gid


@dataclass(frozen=True)
class Answer:
    """A guest's memory map; `pid` made the socket, `name` is QEMU's name of the guest."""

    pid: int
    name: str
    regions: tuple[Region, ...]


Outcome = Answer | BpfexitError
"""The answer of a socket, or why there is none."""


def ask(
    sockets: Sequence[Socket],
    cancel: Cancel | None = None,
    take: Callable[[int, Outcome], object] = lambda *_: None,
) -> list[Outcome]:
    """Query all sockets in parallel; return their answers, or why there are none.

    `take` is called with a socket's index and outcome as soon as it is known: another socket
    may take longer. Raises `CancelledError` once cancelled.
    """
    if not sockets:
        return []
    logging.getLogger("qemu.qmp").addHandler(logging.NullHandler())  # or it writes to stderr
    try:
        return asyncio.run(_ask_all(sockets, cancel or Cancel(), take))
    except asyncio.CancelledError:
        raise CancelledError from None


async def _ask_all(
    sockets: Sequence[Socket], cancel: Cancel, take: Callable[[int, Outcome], object]
) -> list[Outcome]:
    async def asked(index: int) -> Outcome:
        outcome = await _ask(sockets[index].path)
        take(index, outcome)
        return outcome

    loop = asyncio.get_running_loop()
    # An error of the library is returned as the answer; asyncio must not print it as well.
    loop.set_exception_handler(lambda *_: None)
    answers = asyncio.gather(*map(asked, range(len(sockets))))
    with cancel.ending(lambda: loop.call_soon_threadsafe(answers.cancel)):
        return list(await answers)


async def _ask(path: str) -> Outcome:
    try:
        return await asyncio.wait_for(_asked(path), TIMEOUT_S)
    except Exception as error:  # one line, whatever the server sent
        return BpfexitError(f"--qmp {path}: {_why(error)}")


class _Client(QMPClient):
    """A client that a server cannot keep busy beyond the time-out, nor its memory."""

    def __init__(self, readbuflen: int) -> None:
        super().__init__(readbuflen=readbuflen)
        self.events.event_filter = lambda _: False  # not read, they would pile up
        self._received = 0

    def _cb_inbound(self, msg: Message) -> Message:
        """Count: while messages are there to be read, asyncio looks at no clock."""
        self._received += 1
        if self._received > MOST_MESSAGES:
            raise BpfexitError("it sends without end")
        return super()._cb_inbound(msg)


async def _asked(path: str) -> Answer:
    with _connected(path) as connection:
        pid, *_ = _PEER.unpack(
            connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
        )
        client = _Client(readbuflen=LONGEST_LINE)
        await client.connect(connection)
        try:
            name = await client.execute("query-name")
            text = await client.execute("human-monitor-command", {"command-line": COMMAND})
        finally:
            with suppress(Exception):
                await client.disconnect()
    regions = mtree.regions(text) if isinstance(text, str) else ()
    if not regions:
        raise BpfexitError(f"the answer to `{COMMAND}` contains no memory map")
    return Answer(pid, str(name.get("name", "")) if isinstance(name, dict) else "", regions)


def _connected(path: str) -> socket.socket:
    if not S_ISSOCK(os.stat(path).st_mode):
        raise BpfexitError("it is not a Unix socket")
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.setblocking(False)
        connection.connect(path)  # local: done, refused or too busy at once
    except BaseException:
        connection.close()
        raise
    return connection


def _why(error: Exception) -> str:
    """Return what went wrong, never in the server's words."""
    cause = error.exc if isinstance(error, ConnectError) else error
    reasons: list[tuple[type[Exception] | tuple[type[Exception], ...], str]] = [
        (BpfexitError, str(cause)),
        ((TimeoutError, BlockingIOError), _BUSY),
        (FileNotFoundError, "no such socket"),
        (ConnectionRefusedError, "no process listens on it; has its QEMU ended?"),
        (PermissionError, "it belongs to another user: run as root"),
        ((EOFError, ConnectionError, ExecInterruptedError), "it was closed before it answered"),
        (ExecuteError, f"QEMU refuses `{COMMAND}`"),
        (OSError, getattr(cause, "strerror", None) or str(cause)),
    ]
    return next(
        (why for kind, why in reasons if isinstance(cause, kind)),
        "the server does not speak QMP",
    )
