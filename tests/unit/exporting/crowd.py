"""A host full of guests, each with more reasons and addresses than most have."""

from dataclasses import replace
from typing import Any

from bpfexit.events.access import Access
from bpfexit.events.mmio import MMIO
from bpfexit.model.guest import Guest
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.usage import GuestUsage, HostUsage, Quota, Role, ThreadTimes
from tests.unit.builders import Exits, pio, snapshot, with_parts

REASONS = (
    "EXTERNAL_INTERRUPT",
    "INTERRUPT_WINDOW",
    "EPT_VIOLATION",
    "MSR_WRITE",
    "CPUID",
    "HLT",
    "PAUSE_INSTRUCTION",
    "VMCALL",
)
"""Ten, with those that access ports and MMIO."""


def crowd(guests: int = 50, ports: int = 40, devices: int = 20) -> Snapshot:
    """Return an interval in which each of them took exits for ten reasons at many addresses."""
    every = [Guest(1000 + number, f"guest-{number:02}", "qemu", "qemu") for number in range(guests)]
    rows = [row for guest in every for row in _rows(guest, ports, devices)]
    of = snapshot(*rows, guests=tuple(every), duration_s=5.0)
    usage = HostUsage(tuple(_usage(guest) for guest in every))
    return replace(with_parts(of, 10**6, 10**5, 10**4, 10**4, 10**6), usage=usage)


def _usage(guest: Guest) -> GuestUsage:
    threads = tuple(ThreadTimes(role, 1, 10**9, 10**8) for role in Role)
    quota = Quota("/machine", 2.0, 1, 10**8)
    return GuestUsage(guest.name, guest.pid, 5.0, threads, 2**32, 2**20, quotas=(quota,))


def _rows(guest: Guest, ports: int, devices: int) -> list[Exits]:
    about: dict[str, Any] = {"vm": guest.name, "pid": guest.pid, "tid": guest.pid}
    mmio: dict[str, Any] = {"kind": MMIO, "access": Access.WRITE, "ns": (5000,), "user_ns": (3000,)}
    return [
        *(Exits(reason, ns=(1500, 3000, 90_000), wait_ns=4000, **about) for reason in REASONS),
        *(pio(0x100 + port, ns=(5000,), user_ns=(3000,), **about) for port in range(ports)),
        *(
            Exits("EPT_MISCONFIG", address=0xFE000000 + number, **mmio, **about)
            for number in range(devices)
        ),
    ]
