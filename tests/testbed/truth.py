"""Exits as ftrace recorded them: paired, attributed and timed by other code than bpfexit's."""

import os
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.counting import Place
from tests.ftrace import Event

EVENTS = (
    "kvm_exit",
    "kvm_entry",
    "kvm_pio",
    "kvm_mmio",
    "kvm_msr",
    "kvm_fpu",
)
MMIO_WRITE = 2
VMX, SVM = 1, 2
VMX_NAMES = {
    0: "EXCEPTION_NMI",
    1: "EXTERNAL_INTERRUPT",
    7: "INTERRUPT_WINDOW",
    10: "CPUID",
    12: "HLT",
    30: "IO_INSTRUCTION",
    31: "MSR_READ",
    32: "MSR_WRITE",
    44: "APIC_ACCESS",
    48: "EPT_VIOLATION",
    49: "EPT_MISCONFIG",
    52: "PREEMPTION_TIMER",
}
SVM_NAMES = {
    0x10: "write_cr0",
    0x14: "write_cr4",
    0x60: "interrupt",
    0x61: "nmi",
    0x64: "vintr",
    0x65: "cr0_sel_write",
    0x72: "cpuid",
    0x78: "hlt",
    0x7B: "io",
    0x7C: "msr",
    0x7F: "shutdown",
    0x80: "vmrun",
    0x400: "npf",
}
NAMES = {VMX: VMX_NAMES, SVM: SVM_NAMES}
"""The reasons the guest can have, as the kernel's `vmx.h` and `svm.h` number and name them."""


NOWHERE = Place(None, None, None)


@dataclass(frozen=True)
class Exit:
    """One exit from `kvm_exit` to `kvm_entry`; `user_ns` of `ns` went by in user space."""

    tid: int
    reason: str
    place: Place
    size: int | None
    ns: int
    user_ns: int
    rip: int


def left(name: str) -> str:
    """Return the path of a file that a scenario leaves for the tests outside."""
    return str(Path(os.environ["SHARE"], name))


@contextmanager
def leaving(name: str) -> Iterator[Path]:
    """Yield a place for such a file in memory; it is copied to the share when it is complete.

    Small writes to the emulated disk of VMX take a minute for a megabyte.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        yield path
        shutil.copyfile(path, left(name))


def exits(events: Iterable[Event], tids: set[int]) -> tuple[list[Exit], int]:
    """Pair the events of these threads; return the exits, and how many had not ended."""
    by_thread = defaultdict(list)
    for event in events:
        if event.tid in tids:
            by_thread[event.tid].append(event)
    paired: list[Exit] = []
    unended = 0
    for thread in by_thread.values():
        found, open_at_end = _paired(thread)
        paired += found
        unended += open_at_end
    return paired, unended


def _paired(events: list[Event]) -> tuple[list[Exit], bool]:
    """Cut a thread's events at `kvm_exit`; what comes up to `kvm_entry` belongs to the exit."""
    found = []
    begun: list[Event] = []
    for event in events:
        if event.name == "kvm_exit":
            assert not begun, "an exit follows an exit"
            begun = [event]
        elif begun and event.name == "kvm_entry":
            found.append(_exit(begun, event))
            begun = []
        elif begun:
            begun.append(event)
    return found, bool(begun)


def _exit(events: list[Event], entry: Event) -> Exit:
    first = events[0]
    accesses = [event for event in events if _place(event)]
    return Exit(
        first.tid,
        NAMES[first.fields["isa"]][first.fields["exit_reason"]],
        _place(accesses[0]) or NOWHERE if accesses else NOWHERE,
        _size(accesses[0]) if accesses else None,
        entry.ns - first.ns,
        _user_ns(events),
        first.fields["guest_rip"],
    )


def _place(event: Event) -> Place | None:
    fields = event.fields
    if event.name == "kvm_pio":
        return Place("pio", "write" if fields["rw"] else "read", fields["port"])
    if event.name == "kvm_mmio":
        return Place("mmio", "write" if fields["type"] == MMIO_WRITE else "read", fields["gpa"])
    if event.name == "kvm_msr":
        return Place("msr", "write" if fields["write"] else "read", fields["ecx"])
    return None


def _size(event: Event) -> int | None:
    """Return the bytes of an access; of an MSR they are not told."""
    return event.fields.get("size", event.fields.get("len"))


def _user_ns(events: list[Event]) -> int:
    """Add up the times from a `kvm_fpu` unload to the load after it."""
    total, left = 0, 0
    for event in events:
        if event.name != "kvm_fpu":
            continue
        if event.fields["load"]:
            total += event.ns - left if left else 0
        left = 0 if event.fields["load"] else event.ns
    return total
