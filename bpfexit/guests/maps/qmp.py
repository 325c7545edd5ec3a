"""Asking a guest's QEMU for its memory map over QMP, on a Unix socket that the user named.

QEMU serves one client a socket, and others wait without a word; so a socket is
held only for the question, and every wait has an end. Nothing that changes
anything is ever sent.
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
"""For all of it: a QEMU that is busy answers in some ms; sockets are asked at the same time."""

LONGEST_LINE = 2 << 20
"""Bytes of an answer; that with the memory map has some 10 to 100 KB."""

MOST_MESSAGES = 5000
"""Answers and events, while three are asked for; QEMU sends a handful."""

COMMAND = "info mtree -f"
"""The human monitor's command for the memory map, flat."""

ONE_CLIENT = (
    "such a socket serves one client at a time, and another one (libvirt?) may hold it; "
    "give QEMU a second `-qmp unix:PATH,server=on,wait=off`, or use --libvirt"
)
_BUSY = f"no answer within {TIMEOUT_S:.0f} s: {ONE_CLIENT}"
_PEER = struct.Struct("3i")  # struct ucred: pid, uid, gid


@dataclass(frozen=True)
class Answer:
    """A guest's memory map; `pid` is the process that made the socket, `name` what QEMU's is."""

    pid: int
    name: str
    regions: tuple[Region, ...]


Outcome = Answer | BpfexitError
"""What a socket answers, or why it does not."""


def ask(
    sockets: Sequence[Socket],
    cancel: Cancel | None = None,
    take: Callable[[int, Outcome], object] = lambda *_: None,
) -> list[Outcome]:
    """Ask all of them at once; return for each its answer, or why there is none.

    `take` is called with the index of a socket and its outcome as soon as that is known: another
    socket may take its time. Raises `CancelledError` as soon as that is wanted.
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
    # What a server breaks inside the library comes back as its answer; nobody need print it, too.
    loop.set_exception_handler(lambda *_: None)
    answers = asyncio.gather(*map(asked, range(len(sockets))))
    with cancel.ending(lambda: loop.call_soon_threadsafe(answers.cancel)):
        return list(await answers)


async def _ask(path: str) -> Outcome:
    try:
        return await asyncio.wait_for(_asked(path), TIMEOUT_S)
    except Exception as error:  # whatever a server makes of it is one line
        return BpfexitError(f"--qmp {path}: {_why(error)}")


class _Client(QMPClient):
    """A client that a server cannot keep busy beyond the time-out, nor its memory."""

    def __init__(self, readbuflen: int) -> None:
        super().__init__(readbuflen=readbuflen)
        self.events.event_filter = lambda _: False  # nobody reads them: they would pile up
        self._received = 0

    def _cb_inbound(self, msg: Message) -> Message:
        """Count: while messages are there to be read, asyncio looks at no clock."""
        self._received += 1
        if self._received > MOST_MESSAGES:
            raise BpfexitError("it talks without end")
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
        raise BpfexitError(f"the answer to `{COMMAND}` holds no memory map")
    return Answer(pid, str(name.get("name", "")) if isinstance(name, dict) else "", regions)


def _connected(path: str) -> socket.socket:
    if not S_ISSOCK(os.stat(path).st_mode):
        raise BpfexitError("it is no Unix socket")
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.setblocking(False)
        connection.connect(path)  # local: done, refused or too busy at once
    except BaseException:
        connection.close()
        raise
    return connection


def _why(error: Exception) -> str:
    """Say in words what went wrong; never in those of the server."""
    cause = error.exc if isinstance(error, ConnectError) else error
    reasons: list[tuple[type[Exception] | tuple[type[Exception], ...], str]] = [
        (BpfexitError, str(cause)),
        ((TimeoutError, BlockingIOError), _BUSY),
        (FileNotFoundError, "there is no such socket"),
        (ConnectionRefusedError, "nobody listens there; has its QEMU ended?"),
        (PermissionError, "it belongs to another user: run as root"),
        ((EOFError, ConnectionError, ExecInterruptedError), "it was closed before it answered"),
        (ExecuteError, f"QEMU refuses `{COMMAND}`"),
        (OSError, getattr(cause, "strerror", None) or str(cause)),
    ]
    return next(
        (why for kind, why in reasons if isinstance(cause, kind)),
        "what answers there does not speak QMP",
    )
