"""A run of the guest: a thread for each vCPU, its pace, its end and its result."""

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from types import FrameType
from typing import Self

from bpfexit.errors import BpfexitError
from bpfexit.testguest import kvm_api
from bpfexit.testguest.machine import Vcpu
from bpfexit.testguest.mix import Work
from bpfexit.testguest.program import HALT_NS, Program, assemble

_PAUSES_PER_S = 100
_NAP_S = 0.05
"""The longest sleep at a pause: a stop is seen no later than that."""
_LOOK_S = 1.0
"""The longest wait for a thread: a signal that another thread has got, or that comes just before
the wait, is handled after it."""


@dataclass(frozen=True)
class Pace:
    """The pace of each vCPU, the delay of its accesses, and how long it halts."""

    exits_per_s: int | None = None
    user_delay_s: float = 0.0
    halt_ns: int = HALT_NS

    @property
    def pause_every(self) -> int | None:
        """Exits from one pause to the next."""
        if self.exits_per_s is None:
            return None
        return max(1, self.exits_per_s // _PAUSES_PER_S)


@dataclass(frozen=True)
class VcpuResult:
    """The exits that one vCPU took, by step of the mix."""

    vcpu: int
    tid: int
    exits: tuple[int, ...]
    control_exits: int


@dataclass(frozen=True)
class Result:
    """The result of a run."""

    pid: int
    vcpus: tuple[VcpuResult, ...]
    duration_s: float

    @property
    def exits(self) -> int:
        """All exits of the mix, of all vCPUs."""
        return sum(sum(vcpu.exits) for vcpu in self.vcpus)


def assemble_all(work: Work, vcpus: int, pace: Pace) -> list[Program]:
    """Return the same program for each vCPU, one after another in memory."""
    programs: list[Program] = []
    base = 0
    for _ in range(vcpus):
        programs.append(assemble(work, base, pace.pause_every, pace.halt_ns))
        base += len(programs[-1].image)
    return programs


class Session:
    """The vCPUs' threads. They stay alive, for tracers, until the context ends."""

    def __init__(self, vcpus: Sequence[Vcpu], pace: Pace) -> None:
        self._stopping = False  # no Event: its lock is not safe in a signal handler
        self._pace = pace
        self._go = threading.Event()
        self._release = threading.Event()
        self._vcpus = [_VcpuThread(index, vcpu, self) for index, vcpu in enumerate(vcpus)]
        self._started = 0.0
        for vcpu in self._vcpus:
            _start(vcpu)
            vcpu.ready.wait()

    @property
    def tids(self) -> list[int]:
        """The thread of each vCPU."""
        return [vcpu.tid for vcpu in self._vcpus]

    def run(self, duration_s: float | None = None) -> Result:
        """Start the vCPUs and wait until all have ended, by themselves or after the duration."""
        self._started = time.monotonic()
        self._go.set()
        if duration_s is not None and not self._wait(self._started + duration_s):
            self.stop()
        self._wait(inf)
        ended = time.monotonic()
        errors = [vcpu.error for vcpu in self._vcpus if vcpu.error]
        if errors:
            raise errors[0]
        results = tuple(vcpu.result() for vcpu in self._vcpus)
        return Result(os.getpid(), results, ended - self._started)

    def stop(self) -> None:
        """Make all vCPUs end. Safe in a signal handler."""
        self._stopping = True
        for vcpu in self._vcpus:
            vcpu.vcpu.stop()

    @contextmanager
    def stopping_on_signals(self) -> Iterator[None]:
        """Make SIGINT and SIGTERM end the guest, unless ignored; a second one ends the process."""
        both = (signal.SIGINT, signal.SIGTERM)
        numbers = [number for number in both if signal.getsignal(number) != signal.SIG_IGN]

        def on_signal(_number: int, _frame: FrameType | None) -> None:
            for number in numbers:
                signal.signal(number, signal.SIG_DFL)
            self.stop()

        before = [signal.signal(number, on_signal) for number in numbers]
        try:
            yield
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End the threads. A guest that has not run yet ends before its first exit."""
        self.stop()
        self._go.set()
        self._release.set()
        for vcpu in self._vcpus:
            vcpu.join()

    def drive(self, vcpu: Vcpu) -> None:
        """Run one vCPU at this session's pace, in its own thread, after the start."""
        self._go.wait()
        due = self._started

        def serve() -> None:
            if self._pace.user_delay_s:
                time.sleep(self._pace.user_delay_s)

        def pause() -> None:
            nonlocal due
            due += (self._pace.pause_every or 0) / (self._pace.exits_per_s or 1)
            self._sleep_until(due)

        vcpu.run(serve, pause)

    def linger(self) -> None:
        """Keep the calling thread until the context ends."""
        self._release.wait()

    def _sleep_until(self, due: float) -> None:
        while not self._stopping and (left := due - time.monotonic()) > 0:
            time.sleep(min(left, _NAP_S))

    def _wait(self, deadline: float) -> bool:
        """Wait until all vCPUs have ended, or until a point in time; return whether they have."""
        for vcpu in self._vcpus:
            while not vcpu.ended.wait(max(0.0, min(_LOOK_S, deadline - time.monotonic()))):
                if time.monotonic() >= deadline:
                    return False
        return True


def _start(vcpu: threading.Thread) -> None:
    try:
        vcpu.start()
    except RuntimeError as error:  # Python's error if the kernel refuses a thread
        raise BpfexitError(
            f"cannot start a vCPU's thread ({error}): raise the limit with `ulimit -u`"
        ) from None


class _VcpuThread(threading.Thread):
    """Runs one vCPU. A daemon: a guest that cannot be stopped must not keep the process alive."""

    def __init__(self, index: int, vcpu: Vcpu, session: Session) -> None:
        super().__init__(daemon=True)
        self.vcpu = vcpu
        self.tid = 0
        self.ready = threading.Event()
        self.ended = threading.Event()
        self.error: Exception | None = None
        self._index = index
        self._session = session

    def run(self) -> None:
        self.tid = threading.get_native_id()
        # QEMU's name for its vCPU threads, which tools recognize.
        kvm_api.name_thread(f"CPU {self._index}/KVM")
        self.ready.set()
        try:
            self._session.drive(self.vcpu)
        except Exception as error:
            self.error = error
            self._session.stop()
        finally:
            self.ended.set()
        self._session.linger()

    def result(self) -> VcpuResult:
        """Return the counts of the ended vCPU."""
        exits = tuple(self.vcpu.counters())
        return VcpuResult(self._index, self.tid, exits, self.vcpu.control_exits)
