"""Programs in the kernel: loaded, attached, detached, and what the kernel counts of them."""

import ctypes
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.errors import BpfexitError
from bpfexit.host import bpf_statistics
from bpfexit.model.histogram import UNIT_SHIFT, bucket_of
from bpfexit.model.own_cost import ProgramRuns
from bpfexit.tracer import plan as programs
from bpfexit.tracer.attaching import attach, detach
from bpfexit.tracer.compiler import compiled, one_line
from bpfexit.tracer.mmap_rows import mapped_array

_ARRAY = 2  # BPF_MAP_TYPE_ARRAY
_MMAPABLE = 1 << 10  # BPF_F_MMAPABLE


_NEAR_NS = np.arange(programs.NEAR_UNITS, dtype=np.uint64) << np.uint64(UNIT_SHIFT)


class Programs:
    """The programs of a plan, compiled when this is made; they count from `attach` to `detach`."""

    def __init__(self, bcc: Any, plan: programs.Plan, max_vcpus: int) -> None:
        """Compile, and make the map of vCPUs. Raises `BpfexitError`."""
        self.plan = plan
        self.bpf = compiled(bcc, plan)
        self.library = bcc.lib
        self._kinds = {True: bcc.BPF.TRACEPOINT, False: bcc.BPF.RAW_TRACEPOINT}
        self._vcpus_fd, self.vcpus = self._vcpus_map(max_vcpus)
        self._fds: list[int] = []

    def load(self) -> None:
        """Have the kernel verify the programs. Raises `BpfexitError` when it refuses one."""
        self._fds = [self._loaded(each) for each in self.plan.attachments]

    def attach(self) -> None:
        """Begin to count. Raises `BpfexitError`."""
        for each in self.plan.attachments:
            try:
                attach(self.bpf, each)
            except Exception as error:
                raise BpfexitError(
                    f"cannot attach to {each.full_name} ({one_line(error)}); "
                    "`bpfexit doctor` shows what is missing"
                ) from None
        self._mark_attached(yes=True)

    def stop(self) -> NDArray[Any]:
        """Stop counting accesses outside exits; return the field `packed_key` of all vCPUs.

        An access from here on may be one of an exit that is not seen.
        """
        self._mark_attached(yes=False)
        return self.vcpus["packed_key"].copy()

    def detach(self) -> None:
        """Stop counting; the maps stay readable."""
        for each in self.plan.detaching:
            detach(self.bpf, each)

    def close(self) -> None:
        """Give up programs and maps."""
        self.bpf.cleanup()
        os.close(self._vcpus_fd)

    def runs(self) -> tuple[ProgramRuns, ...]:
        """Return how often each program ran and how long, while BPF statistics are on."""
        return tuple(map(_program_runs, self.plan.attachments, self._fds))

    def missed(self) -> int:
        """Return the program runs that the kernel skipped."""
        found = (bpf_statistics.counters(fd).get("recursion_misses", 0) for fd in self._fds)
        return sum(found)

    def _mark_attached(self, *, yes: bool) -> None:
        """Tell the programs whether all of them are attached: see all_attached in maps.h."""
        self.bpf["all_attached"][0] = ctypes.c_uint32(yes)

    def _vcpus_map(self, slots: int) -> tuple[int, NDArray[Any]]:
        """Make the map of struct vcpus; return its descriptor and the vCPUs by slot.

        Not BCC: it compiles code to print a table's value, for each element of an
        array in it anew, and would take half a minute.
        """
        layout = programs.vcpus_layout(np.dtype(self.bpf["vcpu_layout"].Leaf), slots)
        size = layout.itemsize
        fd = int(self.library.bcc_create_map(_ARRAY, b"vcpus", 4, size, 1, _MMAPABLE))
        if fd < 0:
            raise BpfexitError("the kernel refused the map of vCPUs; is it out of memory?")
        (vcpus,) = mapped_array(fd, layout, 1)
        vcpus["bucket_of"] = bucket_of(_NEAR_NS)
        vcpus["generation"] = 1  # of a vCPU that has not looked for its VMCB yet it is 0
        return fd, vcpus["of_slot"]

    def _loaded(self, each: programs.Attachment) -> int:
        programs.point_at_value(self._instructions(f"on_{each.event}"), self._vcpus_fd)
        try:
            return int(self.bpf.load_func(f"on_{each.event}", self._kinds[each.classic]).fd)
        except Exception as error:
            raise BpfexitError(
                f"the kernel refused the program for {each.full_name} ({one_line(error)}); "
                "`bpfexit doctor` shows what is missing"
            ) from None

    def _instructions(self, function: str) -> NDArray[Any]:
        """Return the compiled instructions where BCC keeps them, to be changed in place."""
        module, name = self.bpf.module, function.encode()
        start = self.library.bpf_function_start(module, name)
        size = self.library.bpf_function_size(module, name)
        memory = (ctypes.c_char * size).from_address(ctypes.cast(start, ctypes.c_void_p).value)
        return np.frombuffer(memory, programs.INSTRUCTION)


def _program_runs(each: programs.Attachment, fd: int) -> ProgramRuns:
    found = bpf_statistics.counters(fd)
    return ProgramRuns(each.event, found["run_cnt"], found["run_time_ns"])
