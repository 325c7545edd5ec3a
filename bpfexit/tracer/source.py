"""The live kernel: programs loaded through bcc, maps read as numpy arrays.

The only module that imports bcc, and only when a source is opened.
"""

import ctypes
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.errors import BpfexitError
from bpfexit.guests.guests import Guests
from bpfexit.host import bpf_statistics, tracefs
from bpfexit.host.facts import host_facts
from bpfexit.host.kvm import Backend
from bpfexit.model.filter import Filter
from bpfexit.model.losses import Lost
from bpfexit.model.own_cost import OwnCost, ProgramRuns, ProgramsCost, Reading, programs_cost
from bpfexit.model.sample import (
    KIND_MASK,
    Difference,
    Sample,
    difference,
    joined_differences,
    name_owners,
    name_reasons,
    rows_by_name,
)
from bpfexit.model.slow import Slow, Threshold, slow_exits
from bpfexit.model.snapshot import VCPU_FIELDS, Origin, Snapshot
from bpfexit.names.reasons import BUILT_IN, IDLE, Isa, parse_format
from bpfexit.tracer import plan as programs
from bpfexit.tracer.arrivals import Arrivals
from bpfexit.tracer.attaching import attach, detach
from bpfexit.tracer.compiler import compiled, one_line, release_compiler
from bpfexit.tracer.host_plan import host_plan, reason_filter
from bpfexit.tracer.mmap_rows import (
    copied_changes,
    copied_vcpus,
    mapped_array,
    plain,
    restart_maxima,
    windows,
)
from bpfexit.tracer.owners import identities, living, vm_places
from bpfexit.tracer.slots import Keys, Stack, ended_slots, rows_of, vcpu_slots
from bpfexit.tracer.slow_ring import SlowRing

MAX_ROWS = 16384

_ARRAY = 2  # BPF_MAP_TYPE_ARRAY
_MMAPABLE = 1 << 10  # BPF_F_MMAPABLE

BCC_MISSING = (
    "the bcc binding is missing: install the distribution's package (Debian: "
    "`apt-get install python3-bpfcc`) and run bpfexit with /usr/bin/python3 or a venv of it "
    "made with --system-site-packages; the package `bcc` on PyPI is something else"
)


def import_bcc() -> Any:
    """Import the binding, which only the distribution has. Raises `BpfexitError`."""
    try:
        import bcc  # noqa: PLC0415 - late: it is not there for every command, and slow
    except ImportError:
        raise BpfexitError(BCC_MISSING) from None
    except OSError as error:  # its library, libbcc, is not there or does not fit
        raise BpfexitError(
            f"the bcc binding does not load ({error}): install python3-bpfcc again"
        ) from None
    if not hasattr(bcc, "BPF"):
        raise BpfexitError(BCC_MISSING)
    return bcc


def binding_version() -> str:
    """Return the binding's version. Raises `BpfexitError` when there is none."""
    return str(import_bcc().__version__)


class KernelSource:
    """Counts exits from when it is opened until it is closed."""

    def __init__(
        self,
        backend: Backend,
        tracefs_root: Path,
        wanted: Filter,
        guests: Guests,
        max_rows: int = MAX_ROWS,
        threshold: Threshold | None = None,
    ) -> None:
        """Compile, load and attach. Raises `BpfexitError` when the kernel or bcc refuses."""
        max_vcpus = vcpu_slots(os.cpu_count() or 1)
        self._bcc = import_bcc()
        self._backend = backend
        text = tracefs.event_format(tracefs_root, "kvm:kvm_exit")
        self._reasons = parse_format(text) if text else BUILT_IN
        self._plan = host_plan(backend, tracefs_root, max_rows, max_vcpus, wanted.kinds)
        self._plan.macros.update(programs.watched_macro(wanted.pids, wanted.vcpus))
        self._plan.macros.update(reason_filter(backend, self._reasons, wanted.reasons))
        if threshold:
            idle = [code for name in IDLE for code in self._reasons.codes(backend.isa, name)]
            self._plan.macros.update(programs.slow_macros(threshold, backend.isa, idle))
        self._bpf = compiled(self._bcc, self._plan)
        self._threshold = threshold
        self._only = wanted.reasons
        self._ring = SlowRing(self._bpf) if threshold else None
        self._rows = np.zeros(max_rows, np.dtype(self._bpf["rows"].Leaf))
        self._vcpus_fd, self._vcpus = self._vcpus_map(max_vcpus)
        self._keys = Keys(self._bcc.lib, self._bpf["index_of_key"])
        self._free_rows = Stack(self._bcc.lib, self._bpf["free_rows"])
        self._free_rows.push(range(max_rows - 1, -1, -1))
        self._free_slots = Stack(self._bcc.lib, self._bpf["free_slots"])
        self._free_slots.push(range(max_vcpus - 1, -1, -1))
        self._rows_used = self._slots_used = 0
        self._guests = guests
        self._origin = _origin(backend)
        self._program_fds = self._load()
        self._before = self._sample()
        self._lost = Lost()
        self._lost_of_ended = Lost()
        self._closed = False
        self._programs_cost: ProgramsCost | None = None
        self._attach()
        self._bpf["all_attached"][0] = ctypes.c_uint32(1)
        self._arrivals = Arrivals(self._bcc.lib, self._bpf["arrivals"], guests.notice)
        # Attaching takes its time, and nothing is counted before it is done.
        self._before = replace(self._before, taken_ns=time.monotonic_ns())
        release_compiler()
        self._cpu_s = time.process_time()

    @property
    def emits_exits(self) -> bool:
        """As the back end does."""
        return self._backend.emits_exits

    @property
    def origin(self) -> Origin:
        """Where its snapshots come from: this host."""
        return self._origin

    def notes(self) -> list[str]:
        """Return nothing: what is lost is in the snapshots."""
        return []

    def next(self) -> Snapshot:
        """Read the maps; return what has happened since the last reading."""
        return self._next(None)

    def _next(self, ended_ns: int | None) -> Snapshot:
        """Read the maps, in which nothing has been counted since `ended_ns`, if that is given."""
        # Before the ring and their rows are read: so that is for the last time.
        ended = ended_slots(self._vcpus)
        slow = self._ring.read() if self._ring else None
        diff = self._read_rows()
        after = self._sample(slow)
        if ended_ns is not None:
            after = replace(after, taken_ns=ended_ns)
        snapshot = self._snapshot(diff, self._before, after)
        self._give_back(ended, after)
        self._before = after
        return snapshot

    def due(self) -> float | None:
        """Leave the interval to the caller: the kernel waits for nobody."""
        return None

    @contextmanager
    def measuring_cost(self) -> Iterator[None]:
        """Have the kernel's BPF statistics on meanwhile; where it refuses, nothing is measured."""
        with ExitStack() as stack:
            try:
                stack.enter_context(bpf_statistics.enabled())
            except BpfexitError:
                yield
                return
            start, before = time.time(), self._reading()
            yield
            self._programs_cost = programs_cost(before, self._reading(), start)

    def close(self) -> Snapshot | None:
        """Detach; return what has happened since the last reading, None when closed already."""
        if self._closed:
            return None
        self._closed = True
        # The kernel waits for all CPUs as it takes each program away: a tenth of a second or more.
        ended_ns = time.monotonic_ns()
        self._bpf["all_attached"][0] = ctypes.c_uint32(0)
        for each in self._plan.detaching:
            detach(self._bpf, each)
        self._arrivals.close()
        last = self._next(ended_ns)
        self._bpf.cleanup()
        os.close(self._vcpus_fd)
        return last

    def _vcpus_map(self, slots: int) -> tuple[int, NDArray[Any]]:
        """Make the map of struct vcpus; return its descriptor and the vCPUs by slot.

        Not BCC: it compiles code to print a table's value, for each element of an
        array in it anew, and would take half a minute.
        """
        of_slot = np.dtype((np.dtype(self._bpf["vcpu_layout"].Leaf), slots))
        size = of_slot.itemsize + programs.GUESSES_BYTES
        fd = int(self._bcc.lib.bcc_create_map(_ARRAY, b"vcpus", 4, size, 1, _MMAPABLE))
        if fd < 0:
            raise BpfexitError("the kernel refused the map of vCPUs; is it out of memory?")
        return fd, mapped_array(fd, of_slot.base, slots)

    def _give_back(self, slots: NDArray[np.intp], sample: Sample) -> None:
        """Clear slots of ended threads and their rows, here and in the kernel, for others to use.

        In this order: nobody may find a row that is not cleared, nor a slot that has rows; and
        the vCPUs know how many rows are in use until all that are free are on the stack.
        """
        if not len(slots):
            return
        self._lost_of_ended += _lost_in(sample.vcpus[slots], self._exits_only)
        places = rows_of(self._rows[: self._rows_used], slots)
        self._keys.delete(self._rows[places])
        for first, shared in self._shared_rows():
            here = places[(places >= first) & (places < first + len(shared))]
            shared[here - first] = np.zeros((), shared.dtype)
        self._rows[places] = np.zeros((), self._rows.dtype)
        self._free_rows.push(places[::-1].tolist())
        self._note_rows_used()  # they were most just before that: rows are taken meanwhile
        for vcpus in (self._vcpus, sample.vcpus):
            vcpus[slots] = np.zeros((), vcpus.dtype)
        self._free_slots.push(slots[::-1].tolist())

    def _load(self) -> list[int]:
        return [self._loaded(each) for each in self._plan.attachments]

    def _loaded(self, each: programs.Attachment) -> int:
        types = self._bcc.BPF
        kind = types.TRACEPOINT if each.classic else types.RAW_TRACEPOINT
        programs.point_at_value(self._instructions(f"on_{each.event}"), self._vcpus_fd)
        try:
            return int(self._bpf.load_func(f"on_{each.event}", kind).fd)
        except Exception as error:
            raise BpfexitError(
                f"the kernel refused the program for {each.full_name} ({one_line(error)}); "
                "`bpfexit doctor` shows what is missing"
            ) from None

    def _instructions(self, function: str) -> NDArray[Any]:
        """Return the compiled instructions where BCC keeps them, to be changed in place."""
        module, name = self._bpf.module, function.encode()
        start = self._bcc.lib.bpf_function_start(module, name)
        size = self._bcc.lib.bpf_function_size(module, name)
        memory = (ctypes.c_char * size).from_address(ctypes.cast(start, ctypes.c_void_p).value)
        return np.frombuffer(memory, programs.INSTRUCTION)

    def _attach(self) -> None:
        for each in self._plan.attachments:
            try:
                attach(self._bpf, each)
            except Exception as error:
                raise BpfexitError(
                    f"cannot attach to {each.full_name} ({one_line(error)}); "
                    "`bpfexit doctor` shows what is missing"
                ) from None

    def _read_rows(self) -> Difference:
        """Return what has happened in the rows since the last reading, of which one copy is kept.

        A window after the other, so that little else than that copy takes memory.
        """
        parts = []
        for first, shared in self._shared_rows():
            before = self._rows[first : first + len(shared)]
            at, rows = copied_changes(shared, before)
            restart_maxima(shared, at, rows)
            parts.append(difference(plain(before)[at].view(rows.dtype), rows))
            plain(before)[at] = plain(rows)
        return joined_differences(parts)

    def _shared_rows(self) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield the rows in use as the kernel has them, a window after the other."""
        self._note_rows_used()
        return windows(self._bpf["rows"].map_fd, self._rows.dtype, self._rows_used)

    def _note_rows_used(self) -> None:
        """See how many rows are in use: none lies beyond the most that ever were at a time.

        The vCPUs count a row before they take it, so it may be more, where none is free.
        """
        counted = min(int(self._vcpus["rows"].sum()), len(self._rows))
        self._rows_used = max(self._rows_used, counted)

    def _sample(self, slow: NDArray[Any] | None = None) -> Sample:
        """Read the vCPUs. After rows and slow exits: whoever is in either has a slot."""
        taken = np.flatnonzero(self._vcpus["owner"])
        self._slots_used = max(self._slots_used, int(taken[-1]) + 1 if len(taken) else 0)
        vcpus = copied_vcpus(self._vcpus[: self._slots_used])
        slots_full = sum(self._bpf["slots_full"][0])
        return Sample(time.monotonic_ns(), vcpus, slots_full, self._missed(), slow)

    def _missed(self) -> int:
        return sum(
            bpf_statistics.counters(fd).get("recursion_misses", 0) for fd in self._program_fds
        )

    def _reading(self) -> Reading:
        runs = map(_program_runs, self._plan.attachments, self._program_fds)
        accesses = 0 if self.emits_exits else self._counted()
        return Reading(time.monotonic_ns(), tuple(runs), accesses)

    def _counted(self) -> int:
        return sum(int(shared["untimed"].sum()) for _, shared in self._shared_rows())

    @property
    def _exits_only(self) -> bool:
        """Whether accesses outside exits are not counted: see all_attached in maps.h."""
        return bool(self._only) or self._closed

    def _cost(self, duration_s: float) -> OwnCost:
        """Return what bpfexit cost since the last snapshot."""
        before, self._cpu_s = self._cpu_s, time.process_time()
        measured, self._programs_cost = self._programs_cost, None
        return OwnCost(self._cpu_s - before, duration_s, measured)

    def _snapshot(self, diff: Difference, before: Sample, after: Sample) -> Snapshot:
        name_owners(diff, after.vcpus)
        reasons = name_reasons(diff, self._reasons)
        owners = identities(after.vcpus)
        guests = self._guests.update(living(after.vcpus, owners))
        vms, vm_of_slot = vm_places(owners, lambda owner: self._guests.guest(owner).name)
        shown = after.vcpus["watched"] != 0
        diff.rows.fields["vm"] = vm_of_slot[diff.slots]
        lost = self._lost_of_ended + _lost_in(after.vcpus, self._exits_only)
        lost = replace(lost, vcpus_full=after.slots_full, missed=after.missed)
        lost, self._lost = lost - self._lost, lost
        duration_s = (after.taken_ns - before.taken_ns) / 1e9
        return Snapshot(
            start=time.time() - (time.monotonic_ns() - before.taken_ns) / 1e9,
            duration_s=duration_s,
            rows=rows_by_name(diff),
            vcpus=_seen_vcpus(before.vcpus, after.vcpus, vm_of_slot)[shown],
            vms=vms,
            reasons=reasons,
            lost=lost,
            in_flight=int(_unfinished(after.vcpus, self._exits_only, ended=False).sum()),
            origin=self._origin,
            guests=guests,
            slow=self._slow(before, after),
            only=self._only,
            cost=self._cost(duration_s),
        )

    def _slow(self, before: Sample, after: Sample) -> Slow | None:
        if self._threshold is None or after.slow is None:
            return None
        offset_s = time.time() - time.monotonic()
        return Slow(
            self._threshold.than_ns,
            slow_exits(
                after.slow, self._reasons, lambda owner: self._guests.guest(owner).name, offset_s
            ),
            limited=_grown(before, after, "slow_limited"),
            dropped=_grown(before, after, "slow_dropped"),
        )


def _grown(before: Sample, after: Sample, field: str) -> int:
    return int(after.vcpus[field].sum()) - int(before.vcpus[field].sum())


def _program_runs(each: programs.Attachment, fd: int) -> ProgramRuns:
    found = bpf_statistics.counters(fd)
    return ProgramRuns(each.event, found["run_cnt"], found["run_time_ns"])


def _lost_in(vcpus: NDArray[Any], exits_only: bool) -> Lost:
    """Return what these vCPUs know of: neither what had no slot nor what was missed."""
    return Lost(
        map_full=int(vcpus["map_full"].sum()),
        unpaired=int(vcpus["unpaired"].sum()),
        extra_accesses=int(vcpus["extra_accesses"].sum()),
        unended=int(_unfinished(vcpus, exits_only, ended=True).sum()),
    )


def _unfinished(vcpus: NDArray[Any], exits_only: bool, *, ended: bool) -> NDArray[np.bool_]:
    """Which vCPUs are in an exit, or made an access outside one that is not counted yet."""
    unfinished: NDArray[np.bool_] = vcpus["exit_ns"] != 0
    if not exits_only:
        waits = (vcpus["what"] & KIND_MASK != 0) & (vcpus["isa"] != Isa.NONE)
        unfinished |= waits & (vcpus["watched"] != 0)
    unfinished &= (vcpus["task"] == 0) == ended
    return unfinished


def _seen_vcpus(
    before: NDArray[Any], after: NDArray[Any], vm_of_slot: NDArray[np.uint32]
) -> NDArray[Any]:
    seen = np.zeros(len(after), VCPU_FIELDS)
    seen["vm"] = vm_of_slot
    seen["pid"] = after["owner"] >> 32
    seen["tid"] = after["owner"] & 0xFFFFFFFF
    seen["vcpu"] = after["vcpu_id"]
    seen["guest_ns"] = after["guest_ns"]
    seen["guest_ns"][: len(before)] -= before["guest_ns"]
    return seen


def _origin(backend: Backend) -> Origin:
    host, release = socket.gethostname(), os.uname().release
    return Origin(host, release, backend.module, backend.emits_exits, host_facts())
