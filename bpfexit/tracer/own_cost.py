"""The cost of bpfexit itself: its process, and its programs if that is measured."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from bpfexit.errors import BpfexitError
from bpfexit.host import bpf_statistics
from bpfexit.model.own_cost import OwnCost, ProgramsCost, Reading, programs_cost


class CostMeter:
    """Measures from its creation on; `read` reads the kernel's counters of the programs."""

    def __init__(self, read: Callable[[], Reading]) -> None:
        self._read = read
        self._cpu_s = time.process_time()
        self._programs_cost: ProgramsCost | None = None

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Enable the kernel's BPF statistics meanwhile; if it refuses, nothing is measured."""
        with ExitStack() as stack:
            try:
                stack.enter_context(bpf_statistics.enabled())
            except BpfexitError:
                yield
                return
            start, before = time.time(), self._read()
            yield
            self._programs_cost = programs_cost(before, self._read(), start)

    def since_last(self, duration_s: float) -> OwnCost:
        """Return the cost of bpfexit since the last call, `duration_s` s ago."""
        before, self._cpu_s = self._cpu_s, time.process_time()
        measured, self._programs_cost = self._programs_cost, None
        return OwnCost(self._cpu_s - before, duration_s, measured)
