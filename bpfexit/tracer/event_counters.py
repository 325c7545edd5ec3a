"""How often each of KVM's tracepoints fires, by process: a program per event.

A program adds some 270 instructions to each event that fires. Counts are in a hash per CPU, by
process and event. Perf events would take one descriptor per thread and event.
"""

import os
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from bpfexit.errors import BpfexitError
from bpfexit.host import bpf_statistics, kernel
from bpfexit.model.event_counts import Key, Owner, Reading, Source
from bpfexit.tracer.attaching import attach, kind_of
from bpfexit.tracer.libbpf import open_libbpf
from bpfexit.tracer.loading import compiled
from bpfexit.tracer.locked_memory import unlimited_locked_memory
from bpfexit.tracer.maps import Map
from bpfexit.tracer.plan import Attachment, text

MAX_EVENT_COUNTS = 8192
"""Pairs of process and event: 200 guests with 40 events each. Others are counted as lost."""

_COUNTS, _UNCOUNTED = "event_counts", "uncounted"
_KEY = struct.Struct("<II")
SOURCE = "event_counts.c"


class EventCounters:
    """Counts events of the group `kvm` from its creation until it is closed."""

    def __init__(self, tracefs_root: Path, events: Sequence[str]) -> None:
        """Compile, load and attach. Raises `BpfexitError` if the kernel or bcc refuses."""
        self._events = tuple(events)
        self._library = open_libbpf()
        classic = kernel.preempts_raw_tracepoints()
        attachments = [Attachment(event, classic) for event in events]
        bundle = compiled(source_text(events), ["-DMAX_EVENT_COUNTS=1"])
        with ExitStack() as stack, unlimited_locked_memory():
            sizes = {_COUNTS: MAX_EVENT_COUNTS, _UNCOUNTED: 1}
            self._maps = {
                name: Map(self._library, name, replace(bundle.maps[name], max_entries=size))
                for name, size in sizes.items()
            }
            for table in self._maps.values():
                stack.callback(table.close)
            fds = {name: table.fd for name, table in self._maps.items()}
            self._programs = [
                _opened(
                    stack,
                    partial(
                        self._load,
                        attachment,
                        bundle.programs[f"on_{attachment.event}"].linked(fds),
                    ),
                )
                for attachment in attachments
            ]
            for attachment, program in zip(attachments, self._programs, strict=True):
                _opened(stack, partial(attach, self._library, attachment, program, tracefs_root))
            self._open = stack.pop_all()

    def read(
        self, owner_of: Callable[[int], Owner | None], has_ended: Callable[[int], bool]
    ) -> Reading:
        """Return the counts now; for a process that has ended, the last time.

        `owner_of` returns the owner of a process; None for one to be left out.
        """
        values: dict[Key, int] = {}
        counts, cpus = self._maps[_COUNTS].fd, self._library.possible_cpus()
        keys = list(self._library.keys(counts, _KEY.size))
        ended = {pid for pid in {_KEY.unpack(raw)[0] for raw in keys} if has_ended(pid)}
        for raw in keys:
            pid, event = _KEY.unpack(raw)
            owner = owner_of(pid)
            if owner is not None:
                numbers = struct.unpack(f"<{cpus}Q", self._library.lookup(counts, raw, 8 * cpus))
                key = Key(owner, Source.TRACEPOINT, self._events[event])
                values[key] = values.get(key, 0) + sum(numbers)
            if pid in ended:
                self._library.delete(counts, raw)
        return Reading(time.monotonic_ns(), values, self._lost())

    def close(self) -> None:
        """Detach; release programs and maps."""
        self._open.close()

    def _load(self, attachment: Attachment, instructions: bytes) -> int:
        return self._library.load_program(
            f"on_{attachment.event}"[:15], kind_of(attachment), instructions
        )

    def _lost(self) -> int:
        """Return the events in no counter: the hash was full, or the kernel skipped the program."""
        missed = sum(bpf_statistics.counters(fd).missed for fd in self._programs)
        return self._maps[_UNCOUNTED].sum_over_cpus(0) + missed


def source_text(events: Sequence[str]) -> str:
    """Return the programs: one per event, numbered in this order."""
    programs = (
        f"int on_{event}(void *ctx) {{ return count_event({number}); }}\n"
        for number, event in enumerate(events)
    )
    return text((SOURCE,)) + "".join(programs)


def events_of(tracefs_root: Path) -> list[str]:
    """Return the kernel's events of the group `kvm`. Raises `BpfexitError`."""
    folder = tracefs_root / "events" / "kvm"
    try:
        with os.scandir(folder) as entries:  # beside the events' folders there are files
            return sorted(entry.name for entry in entries if entry.is_dir())
    except OSError as error:
        raise BpfexitError(f"cannot list {folder}: {error.strerror}") from None


def _opened(stack: ExitStack, open_one: Callable[[], int]) -> int:
    """Open a descriptor, to be closed with the stack. Raises `BpfexitError`."""
    try:
        fd = open_one()
    except OSError as error:
        raise BpfexitError(
            f"the kernel refused to count events ({error.strerror}); "
            "`bpfexit doctor` shows what is missing"
        ) from None
    stack.callback(os.close, fd)
    return fd
