"""Running a program that may hang, or print without end: its time and its output have one."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from bpfexit.host.cancel import Cancel, CancelledError

_PIECE = 1 << 16


@dataclass(frozen=True)
class Done:
    """How a program ended, and all that it printed."""

    code: int
    output: bytes
    errors: bytes


def bounded_run(
    command: Sequence[str],
    env: Mapping[str, str],
    timeout_s: float,
    most: int,
    cancel: Cancel | None = None,
    *,
    data: bytes = b"",
    cwd: str | None = None,
) -> Done:
    """Run a program in a session of its own: Ctrl-C does not reach it. Its stdin has `data`.

    It is killed, with the children that stay in its session, when it is not done in time,
    prints too much or is cancelled. Raises `OSError` when it cannot be run, `TimeoutError`,
    `OverflowError` for more than `most` bytes of either stream, and `CancelledError`.
    """
    end = time.monotonic() + timeout_s
    with (
        (cancel or Cancel()).readable() as cancelled,
        _input(data) as stdin,
        _started(command, env, stdin, cwd) as process,
    ):
        output, errors = _read(process, cancelled, end, most)
        return Done(process.wait(), output, errors)


@contextmanager
def _input(data: bytes) -> Iterator[int]:
    """Yield a descriptor to read this from: no /dev/null is needed, and no writer for a pipe."""
    with os.fdopen(os.memfd_create("stdin"), "w+b") as file:
        file.write(data)
        file.seek(0)
        yield file.fileno()


@contextmanager
def _started(
    command: Sequence[str], env: Mapping[str, str], stdin: int, cwd: str | None
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program; kill it and its children unless it has been waited for."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=stdin, stdout=pipe, stderr=pipe, env=env, cwd=cwd, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            if process.returncode is None:  # so its number is not another one's yet
                os.killpg(process.pid, signal.SIGKILL)


def _read(
    process: subprocess.Popen[bytes], cancelled: int, end: float, most: int
) -> tuple[bytes, bytes]:
    """Return what a program prints until it closes both streams and ends."""
    streams: list[IO[bytes]] = [each for each in (process.stdout, process.stderr) if each]
    texts = {stream.fileno(): bytearray() for stream in streams}
    ended = os.pidfd_open(process.pid)
    try:
        with selectors.DefaultSelector() as selector:
            for fd in (*texts, ended, cancelled):
                selector.register(fd, selectors.EVENT_READ)
            while len(selector.get_map()) > 1:  # more than `cancelled`
                for fd in _ready(selector, cancelled, end):
                    if fd == ended or _is_last(fd, texts[fd], most):
                        selector.unregister(fd)
    finally:
        os.close(ended)
    output, errors = texts.values()
    return bytes(output), bytes(errors)


def _ready(selector: selectors.BaseSelector, cancelled: int, end: float) -> list[int]:
    """Wait for what can be read. Raises `TimeoutError` and `CancelledError`."""
    ready = [key.fd for key, _ in selector.select(max(0, end - time.monotonic()))]
    if cancelled in ready:
        raise CancelledError
    if not ready or time.monotonic() > end:
        raise TimeoutError
    return ready


def _is_last(fd: int, text: bytearray, most: int) -> bool:
    """Add what can be read; return whether that is the end. Raises `OverflowError`."""
    piece = os.read(fd, _PIECE)
    text += piece
    if len(text) > most:
        raise OverflowError
    return not piece
