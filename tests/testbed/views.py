"""Scenarios of the session inside: KVM's counters and the views that are opt-in."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bpfexit.host import debugfs, tracefs
from tests.counting import BPFEXIT, count, count_events
from tests.ftrace import TRACEFS, recording
from tests.testbed.exits import FEW, NESTED
from tests.testbed.truth import leaving, left

EVENTS = "^(exits|io_exits|halt_exits|pages_4k|kvm_exit|kvm_entry|kvm_pio|kvm_cpuid|kvm_msr)$"
VIEWED = (sys.executable, "-m", "tests.testbed.viewed")
NESTED_GUEST = (sys.executable, "-m", "tests.testbed.nested")
TRACED = (
    *("kvm_exit", "kvm_entry", "kvm_cpuid", "kvm_hypercall", "kvm_apic", "kvm_page_fault"),
    *("kvm_userspace_exit", "kvm_inj_virq", "kvm_cr"),
)
BY = "reason,cpuid,hypercall,apic,fault,userspace,injected,cr,hv_hypercall,kick"
LATER = "xen_hypercall,vmgexit"
"""Views of events that Linux 5.10 lacks. No guest here raises them: they are attached."""

BY_RECORD = "reason,exception,interrupt,dr,delivered"
LACKED = ("kvm_xen_hypercall", "kvm_vmgexit_enter")
HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def events() -> dict[str, Any]:
    """Count a guest's events by KVM's own counters and by tracepoints, both at once."""
    options = ["-t", "-f", EVENTS, "-i", "0.5"]
    result = count_events(["--mix", FEW, "--rounds", "1", "--vcpus", "2"], options)
    return {"guest": result.guest, "snapshots": result.snapshots}


def views() -> dict[str, Any]:
    """Ask what each exit of a guest is for, and where, under ftrace as well."""
    HUGE_PAGES.write_text("never")  # so that each page is a fault
    lacking = [name for name in LACKED if tracefs.event_format(TRACEFS, f"kvm:{name}") is None]
    by = BY if lacking else f"{BY},{LATER}"
    nested = count([str(each) for each in NESTED], ["--by", "nested,gpa"], program=NESTED_GUEST)
    return {
        "targets": _traced("targets", ["-i", "0.5", "--by", by]),
        "record": _traced("record", ["--by", BY_RECORD]),
        "rips": _traced("rips", ["--by", "reason,rip"]),
        "nested": {"guest": nested.guest, "snapshots": nested.snapshots},
        "lacking": lacking,
        "refused": _refusal() if lacking else "",
    }


def more_views() -> dict[str, Any]:
    """Ask about hypercalls of other hypervisors, kicks, and more instructions than have rows."""
    paravirtual = [sys.executable, "-m", "tests.testbed.paravirtual"]
    has_xen = tracefs.event_format(TRACEFS, "kvm:kvm_xen_hypercall") is not None
    xen = count(["xen"], ["--by", "reason,xen_hypercall"], program=paravirtual) if has_xen else None
    odd = [sys.executable, "-m", "tests.testbed.odd_guests"]
    hyperv = count(["hyperv"], ["--by", "reason,hv_hypercall"], program=paravirtual)
    return {
        "hyperv": {"guest": hyperv.guest, "snapshots": hyperv.snapshots},
        "xen": xen and {"guest": xen.guest, "snapshots": xen.snapshots},
        "kicks": _traced("kicks", ["--by", "reason,kick"], "notify", program=odd),
        "many": _traced("many", ["--by", "reason,rip"], "many"),
    }


HALTS = "hlt=211,cpuid=97"
MOST_POLLING = Path("/sys/module/kvm/parameters/halt_poll_ns")
LONG_POLL_NS = 1_000_000_000
HALT = "2ms"
"""Longer than the way to the halt takes on a slow machine, and short of the poll's limit, so that
KVM polls longer after each halt, until a poll outlasts one."""

HALT_COUNTERS = (
    *("halt_exits", "halt_attempted_poll", "halt_successful_poll"),
    *("halt_poll_success_ns", "halt_poll_fail_ns"),
)


def halts_viewed() -> dict[str, Any]:
    """Ask how halts end, under ftrace, and by KVM's own counters as well."""
    counters: dict[str, int] = {}

    def note(ready: dict[str, Any]) -> Callable[[], None]:
        (folder,) = (debugfs.find_or_mount() / "kvm").glob(f"{ready['pid']}-*")

        def read() -> None:
            counters.update({name: int((folder / name).read_text()) for name in HALT_COUNTERS})

        return read

    guest = ["--mix", HALTS, "--rounds", "1", "--halt", HALT]
    usual = MOST_POLLING.read_text()
    MOST_POLLING.write_text(str(LONG_POLL_NS))  # else an emulated CPU is too slow to poll at all
    with leaving("halts_viewed.dat") as data, recording(HALT_EVENTS, data):
        result = count(guest, ["-i", "0.5", "--by", "vcpu,reason,halt"], during=note)
    MOST_POLLING.write_text(usual)
    trace = left("halts_viewed.dat")
    found = {"guest": result.guest, "snapshots": result.snapshots, "trace": trace}
    return found | {"counters": counters}


HALT_EVENTS = ("kvm_exit", "kvm_entry", "kvm_vcpu_wakeup", "kvm_halt_poll_ns")


def _traced(
    name: str, options: list[str], *guest: str, program: Sequence[str] = VIEWED
) -> dict[str, Any]:
    with leaving(f"{name}.dat") as data, recording((*TRACED, "kvm_fast_mmio"), data):
        result = count(guest, options, program=program)
    return {"guest": result.guest, "snapshots": result.snapshots, "trace": left(f"{name}.dat")}


def _refusal() -> str:
    """Return what is said of a view whose event this kernel lacks."""
    command = [*BPFEXIT, "top", "-b", "--by", LATER, "1", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"{done.returncode} {done.stderr}"
