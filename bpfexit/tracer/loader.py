"""Programs in the kernel: loaded, attached, detached, and what the kernel counts of them."""

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.compiler.bundle import VCPUS, Bundle, MapDefinition
from bpfexit.errors import BpfexitError
from bpfexit.host import bpf_statistics
from bpfexit.model.histogram import UNIT_SHIFT, bucket_of
from bpfexit.model.own_cost import ProgramRuns
from bpfexit.tracer import plan as programs
from bpfexit.tracer.attaching import attach, kind_of
from bpfexit.tracer.layouts import NEAR_UNITS, dtype_of, vcpus_dtype
from bpfexit.tracer.libbpf import Libbpf
from bpfexit.tracer.locked_memory import unlimited_locked_memory
from bpfexit.tracer.maps import Map
from bpfexit.tracer.mmap_rows import mapped_array

ROWS, ROW_INDEX, FREE_ROWS = "rows", "index_of_key", "free_rows"
FREE_SLOTS, SLOTS_FULL = "free_slots", "slots_full"
ARRIVALS, SLOW_EXITS = "arrivals", "slow_exits"
_ALL_ATTACHED = "all_attached"
"""Maps of maps.h and slow.h."""

OF_ALL_ROWS = (ROWS, ROW_INDEX, FREE_ROWS)
"""Those that have an entry for each row."""

_ARRAY = 2  # BPF_MAP_TYPE_ARRAY
_MMAPABLE = 1 << 10  # BPF_F_MMAPABLE


_NEAR_NS = np.arange(NEAR_UNITS, dtype=np.uint64) << np.uint64(UNIT_SHIFT)


class Programs:
    """The programs of a plan in the kernel; they count from `attach` to `detach`."""

    def __init__(
        self, library: Libbpf, plan: programs.Plan, bundle: Bundle, tracefs_root: Path
    ) -> None:
        """Make the maps and load the programs. Raises `BpfexitError` if the kernel refuses."""
        self.plan = plan
        self._library, self._tracefs = library, tracefs_root
        self._links: dict[programs.Attachment, int] = {}
        _check_complete(bundle, plan)
        with ExitStack() as stack, unlimited_locked_memory():
            self.row = dtype_of(bundle.layouts["row"])
            vcpus = vcpus_dtype(dtype_of(bundle.layouts["vcpu"]), int(plan.macros["MAX_VCPUS"]))
            self.maps = self._maps(stack, bundle.maps, vcpus.itemsize)
            self._fds = self._load(stack, bundle)
            self.vcpus = _prepared(mapped_array(self.maps[VCPUS].fd, vcpus, 1))
            self._open = stack.pop_all()

    def attach(self) -> None:
        """Begin to count. Raises `BpfexitError`."""
        for attachment in self.plan.attachments:
            try:
                self._links[attachment] = attach(
                    self._library, attachment, self._fds[attachment], self._tracefs
                )
            except OSError as error:
                raise BpfexitError(
                    f"cannot attach to {attachment.full_name} ({error.strerror}); "
                    "`bpfexit doctor` shows what is missing"
                ) from None
        self._mark_attached(yes=True)

    def stop(self) -> NDArray[np.uint64]:
        """Stop counting accesses outside exits; return the field `packed_key` of all vCPUs.

        An access from here on may be one of an exit that is not seen.
        """
        self._mark_attached(yes=False)
        keys: NDArray[np.uint64] = self.vcpus["packed_key"].copy()
        return keys

    def detach(self) -> None:
        """Stop counting; the maps stay readable."""
        extra = None
        for attachment in self.plan.detaching:
            if attachment in self._links:
                os.close(self._links.pop(attachment))
                if attachment.event == "kvm_entry":
                    extra = self.vcpus["extra_accesses"].copy()
        if extra is not None:
            forget_extra_accesses(self.vcpus, extra)

    def close(self) -> None:
        """Release programs and maps."""
        self.detach()
        self._open.close()

    def runs(self) -> tuple[ProgramRuns, ...]:
        """Return how often each program ran and how long, while BPF statistics are on."""
        return tuple(_program_runs(attachment, fd) for attachment, fd in self._fds.items())

    def missed(self) -> int:
        """Return the program runs that the kernel skipped."""
        return sum(bpf_statistics.counters(fd).missed for fd in self._fds.values())

    def _mark_attached(self, *, yes: bool) -> None:
        """Tell the programs whether all of them are attached: see all_attached in maps.h."""
        self.maps[_ALL_ATTACHED].set(0, yes)

    def _maps(
        self, stack: ExitStack, definitions: Mapping[str, MapDefinition], vcpus_size: int
    ) -> dict[str, Map]:
        max_rows = int(self.plan.macros["MAX_ROWS"])
        sized = dict(definitions)
        for name in OF_ALL_ROWS:
            sized[name] = replace(sized[name], max_entries=max_rows)
        for name, numbers in self.plan.sets.items():
            sized[name] = replace(sized[name], max_entries=len(numbers))
        sized[VCPUS] = MapDefinition(_ARRAY, 4, vcpus_size, 1, _MMAPABLE)
        made = {}
        for name, definition in sized.items():
            made[name] = Map(self._library, name, definition)
            stack.callback(made[name].close)
        for name, numbers in self.plan.sets.items():
            made[name].add(numbers)
        return made

    def _load(self, stack: ExitStack, bundle: Bundle) -> dict[programs.Attachment, int]:
        """Let the kernel verify the programs. Raises `BpfexitError` if it refuses one."""
        map_fds = {name: table.fd for name, table in self.maps.items()}
        fds = {}
        for attachment in self.plan.attachments:
            name = f"on_{attachment.event}"
            instructions = bundle.programs[name].linked(map_fds)
            try:
                fds[attachment] = self._library.load_program(
                    name, kind_of(attachment), instructions
                )
            except OSError as error:
                raise BpfexitError(
                    f"the kernel refused the program for {attachment.full_name} "
                    f"({error.strerror}); `bpfexit doctor` shows what is missing"
                ) from None
            stack.callback(os.close, fds[attachment])
        return fds


def forget_extra_accesses(vcpus: NDArray[Any], before: NDArray[np.uint64]) -> None:
    """Take back the extra accesses that vCPUs made since `before`, if their exit has no end.

    Such an exit was in progress as kvm_entry was detached: it is not counted, and whatever the
    vCPU accesses from there on would be an extra access of it.
    """
    unended = vcpus["exit_ns"] != 0
    vcpus["extra_accesses"][unended] = before[unended]


def _check_complete(bundle: Bundle, plan: programs.Plan) -> None:
    """Raise `BpfexitError` if the bundle lacks something that this module needs."""
    needed = {
        *(f"on_{attachment.event}" for attachment in plan.attachments),
        *OF_ALL_ROWS,
        *(FREE_SLOTS, SLOTS_FULL, ARRIVALS, _ALL_ATTACHED),
        *plan.sets,
        *("row", "vcpu"),
    }
    missing = needed - bundle.programs.keys() - bundle.maps.keys() - bundle.layouts.keys()
    if missing or bundle.maps[ROWS].value_size != bundle.layouts["row"].size:
        raise BpfexitError("the compiled BPF programs are not those of this version of bpfexit")


def _prepared(shared: NDArray[Any]) -> NDArray[Any]:
    """Fill in the constants in `struct vcpus`; return its vCPUs by slot."""
    (vcpus,) = shared
    vcpus["bucket_of"] = bucket_of(_NEAR_NS)
    vcpus["generation"] = 1  # of a vCPU that has not looked for its VMCB yet it is 0
    of_slot: NDArray[Any] = vcpus["of_slot"]
    return of_slot


def _program_runs(attachment: programs.Attachment, fd: int) -> ProgramRuns:
    counters = bpf_statistics.counters(fd)
    return ProgramRuns(attachment.event, counters.runs, counters.run_ns)
