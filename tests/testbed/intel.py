"""Scenarios of the session inside: what only Intel's KVM does."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.counting import count, record
from tests.ftrace import recording
from tests.testbed.truth import leaving, left

APIC_READS = 20011
ODD_GUEST = (sys.executable, "-m", "tests.testbed.odd_guests")
EVENTS = ("kvm_exit", "kvm_entry", "kvm_pio", "kvm_mmio", "kvm_fast_mmio")


def apic() -> dict[str, Any]:
    """Record a guest that reads the APIC's page as often as it can."""
    mix = ["--mix", f"apic-read={APIC_READS}", "--rounds", "1"]
    with leaving("apic.jsonl") as path:
        guest = record(mix, path, ["-i", "0.5"])
    return {"guest": guest, "recording": left("apic.jsonl")}


def real_mode() -> dict[str, Any]:
    """Run code in real mode where KVM cannot run it on the CPU: it emulates it, without exits."""
    with _kvm_intel("unrestricted_guest=0"):
        return _odd("real-mode")


def refused() -> dict[str, Any]:
    """Enter a guest in a state that the CPU refuses: exits of a failed entry."""
    return _odd("refused")


def notify() -> dict[str, Any]:
    """Write to an eventfd's address, which KVM serves without looking at the instruction."""
    return _odd("notify")


def registers() -> dict[str, Any]:
    """Ask for control registers, exceptions and interrupts of the host by what the exit tells."""
    guest = [sys.executable, "-m", "tests.testbed.viewed"]
    by = "reason,cr,exception,interrupt"
    with leaving("registers.dat") as data, recording((*EVENTS, "kvm_cr"), data):
        result = count(["intel"], ["-i", "0.5", "--by", by], program=guest)
    kicks = count(["notify"], ["-i", "0.5", "--by", "reason,kick"], program=ODD_GUEST)
    return {
        "guest": result.guest,
        "snapshots": result.snapshots,
        "trace": left("registers.dat"),
        "kicks": {"guest": kicks.guest, "snapshots": kicks.snapshots},
    }


def _odd(name: str) -> dict[str, Any]:
    trace = f"{name}.dat"
    with leaving(trace) as data, recording(EVENTS, data):
        result = count([name], ["-i", "0.5"], program=ODD_GUEST)
    return {"guest": result.guest, "snapshots": result.snapshots, "trace": left(trace)}


@contextmanager
def _kvm_intel(parameter: str) -> Iterator[None]:
    """Load kvm_intel with this parameter, and once more without when the context ends."""
    _reload(parameter)
    try:
        yield
    finally:
        _reload()


def _reload(*parameters: str) -> None:
    subprocess.run(["rmmod", "kvm_intel"], check=True)
    subprocess.run(["modprobe", "kvm_intel", *parameters], check=True)
