"""Waiting that a signal ends at once (SIGINT, SIGTERM, SIGHUP).

A signal that is ignored when bpfexit starts stays ignored: nohup ignores SIGHUP, and a shell
without job control ignores SIGINT for a command in the background.
"""

import os
import select
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import inf
from pathlib import Path
from types import FrameType
from typing import Any

from bpfexit.streams import Data

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_TTY = 4  # the field tty_nr of /proc/PID/stat, counted from the field state
_TWICE_S = 1.0
"""A second signal within this time repeats the first: timeout(1) sends each twice."""
_MANY_BYTES = 4096
_LONGEST_S = 86400.0
"""select() refuses times that exceed the kernel's clock; a recording may contain them."""


class Interrupts:
    """A context in which the first such signal sets `stopped`; a second one ends the process.

    The second one raises SystemExit, so that the terminal is restored; a third one has its
    default action. With `hangup_reopens`, SIGHUP does not stop anything: it requests that
    the file is reopened, as log rotation does, and `reopens` returns it.
    """

    def __init__(self, hangup_reopens: bool = False) -> None:
        self.stopped = False
        self._hangup = self._reopen if hangup_reopens else self._stop
        self._asked_to_reopen = False
        self._since: float | None = None
        self._end: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interrupts":
        self._woken, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        # Python runs a handler between two instructions only. A signal that comes just before
        # select() waits would be handled after it, if the signal itself did not end the wait.
        self._woken_before = signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        handlers: dict[int, Any] = dict.fromkeys(_SIGNALS, self._stop)
        handlers[signal.SIGHUP] = self._hangup
        self._before = _handled(handlers)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()
        Data.asked_to_end_at = inf
        signal.set_wakeup_fd(self._woken_before)
        os.close(self._wake)
        os.close(self._woken)

    def wait(self, seconds: float, *fds: int, writing: Sequence[int] = ()) -> set[int]:
        """Sleep, a day at most; return early when stopped, or with the readable descriptors.

        It also returns early when one of those in `writing` is writable.
        """
        end = time.monotonic() + min(max(0.0, seconds), _LONGEST_S)
        while not self.stopped:
            own = {self._woken} if self._end is None else {self._woken, self._end}
            left = max(0.0, end - time.monotonic())
            readable, writable, _ = select.select([*own, *fds], writing, [], left)
            if self._woken in readable:
                os.read(self._woken, _MANY_BYTES)  # one for each signal, of any kind
            self.stopped |= self._end in readable
            ready = set(readable) - own
            if ready or writable or not readable:
                return ready
        return set()

    def stop_with(self, fd: int) -> None:
        """Also stop as soon as `fd`, a process's descriptor, is readable: the process has ended."""
        self._end = fd

    def reopens(self) -> bool:
        """Return whether SIGHUP has arrived since the last call."""
        asked, self._asked_to_reopen = self._asked_to_reopen, False
        return asked

    def _stop(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self._since is None:
            self.stopped, self._since = True, time.monotonic()
            Data.asked_to_end_at = self._since
        elif time.monotonic() - self._since > _TWICE_S:
            self._restore()
            raise SystemExit(128 + number)

    def _reopen(self, number: int, frame: FrameType | None) -> None:
        """Set a flag only: the interval continues, and the next one goes to the new file."""
        del number, frame
        self._asked_to_reopen = True

    def _restore(self) -> None:
        before, self._before = self._before, {}
        _restore(before)


@contextmanager
def ending_at_once() -> Iterator[None]:
    """Let signals end the process at once, also within C code; there is nothing to clean up."""
    before = _handled(dict.fromkeys(_SIGNALS, signal.SIG_DFL))
    try:
        yield
    finally:
        _restore(before)


def has_terminal() -> bool:
    """Return whether this process has a controlling terminal: closing it sends SIGHUP.

    A terminal that hangs up is detached from its processes, so a signal handler can no
    longer find out.
    """
    try:
        stat = Path("/proc/self/stat").read_bytes()
    except OSError:
        return False  # without /proc nothing is traced: preflight reports that
    return stat[stat.rfind(b")") + 1 :].split()[_TTY] != b"0"


def _handled(handlers: Mapping[int, Any]) -> dict[int, Any]:
    """Handle those signals that are not ignored; return their handlers from before."""
    heard = [number for number in handlers if signal.getsignal(number) != signal.SIG_IGN]
    return {number: signal.signal(number, handlers[number]) for number in heard}


def _restore(handlers: Mapping[int, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
