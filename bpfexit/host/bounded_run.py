"""Run a program that may hang or print without end, within limits of time and output."""

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
    """The exit status of a program and all its output."""

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
    """Run a program in its own session, which Ctrl-C does not reach; `data` is its stdin.

    It is killed, with the children in its session, after `timeout_s` s, when stdout or stderr
    exceeds `most` bytes, or when it is cancelled. Raises `OSError` if it cannot be started,
    `TimeoutError`, `OverflowError` and `CancelledError`.
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
    """Yield a descriptor to read the data from: no /dev/null and no writer is needed."""
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
            if process.returncode is None:  # so its PID is still its own
                os.killpg(process.pid, signal.SIGKILL)


def _read(
    process: subprocess.Popen[bytes], cancelled: int, end: float, most: int
) -> tuple[bytes, bytes]:
    """Return stdout and stderr of a program, read until it has closed both and ended."""
    streams: list[IO[bytes]] = [pipe for pipe in (process.stdout, process.stderr) if pipe]
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
    """Return the readable descriptors. Raises `TimeoutError` and `CancelledError`."""
    ready = [key.fd for key, _ in selector.select(max(0, end - time.monotonic()))]
    if cancelled in ready:
        raise CancelledError
    if not ready or time.monotonic() > end:
        raise TimeoutError
    return ready


def _is_last(fd: int, text: bytearray, most: int) -> bool:
    """Append what can be read; return whether the stream has ended. Raises `OverflowError`."""
    piece = os.read(fd, _PIECE)
    text += piece
    if len(text) > most:
        raise OverflowError
    return not piece
