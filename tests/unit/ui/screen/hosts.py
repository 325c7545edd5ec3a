"""Hosts to show: none, one and many guests, on each back end."""

from typing import Any

from bpfexit.events.access import Access
from bpfexit.events.mmio import MMIO
from bpfexit.events.msr import MSR
from bpfexit.model.guest import Guest
from bpfexit.model.snapshot import Origin, Snapshot
from bpfexit.names.reasons import Isa
from tests.unit.builders import Exits, pio, snapshot

ORIGINS = {
    Isa.VMX: Origin("kvmhost", "6.1.0-31-amd64", "kvm_intel"),
    Isa.SVM: Origin("kvmhost", "6.1.0-31-amd64", "kvm_amd"),
    Isa.NONE: Origin("kvmhost", "6.18.0", "kvm_pvm", has_exit_events=False),
}
NAMES = {
    Isa.VMX: ("IO_INSTRUCTION", "EPT_MISCONFIG", "MSR_WRITE", "HLT", "EXTERNAL_INTERRUPT"),
    Isa.SVM: ("io", "npf", "msr", "hlt", "interrupt"),
    Isa.NONE: (None,) * 5,
}
ROLES = ("postgres", "web", "redis", "kafka", "windows")


def host(guests: int, isa: Isa = Isa.VMX, second: int = 0) -> Snapshot:
    """Return one second of some guests with two vCPUs each; every tenth one is idle."""
    rows = [row for number in range(guests) for row in _guest(number, isa, second)]
    known = tuple(Guest(1000 + number, name_of(number), "qemu", "qemu") for number in range(guests))
    return snapshot(
        *rows,
        guest_ns=150_000_000 if isa else 0,
        start=1_700_000_000.0 + second,
        origin=ORIGINS[isa],
        guests=known,
    )


def name_of(number: int) -> str:
    return f"prod-{ROLES[number % len(ROLES)]}-eu-central-{number}"


def _guest(number: int, isa: Isa, second: int) -> list[Exits]:
    io, mmio, msr, hlt, interrupt = NAMES[isa]
    rows = []
    for vcpu in range(2):
        about: dict[str, Any] = {
            "vm": name_of(number),
            "pid": 1000 + number,
            "tid": 5000 + 10 * number + vcpu,
            "vcpu": vcpu,
            "isa": isa,
        }
        rows.append(_exits(hlt, 1, 500_000_000, about))
        if number % 10 == 9:
            continue
        many = 1 + (number * 7 + second * 3 + vcpu) % 23
        rows += [
            pio(0x608, **_counts(many, 9_000, isa), **about | {"reason": io}),
            Exits(
                mmio,
                **_counts(many // 2 + 1, 4_000, isa),
                kind=MMIO,
                access=Access.WRITE,
                address=0xFEBC0000 + 0x1000 * (number % 7),
                size=4,
                **about,
            ),
            Exits(
                msr,
                **_counts(2 * many, 1_500, isa),
                kind=MSR,
                access=Access.WRITE,
                address=0x6E0,
                **about,
            ),
            _exits(interrupt, many // 3 + 1, 1_200, about),
        ]
    return rows


def _exits(reason: str | None, count: int, ns: int, about: dict[str, Any]) -> Exits:
    return Exits(reason, **_counts(count, ns, about["isa"]), **about)


def _counts(count: int, ns: int, isa: Isa) -> dict[str, Any]:
    user = tuple(ns * 4 // 5 for _ in range(count)) if ns == 9_000 else ()
    if not isa:
        return {"no_latency": count, "user_ns": user}
    return {"ns": tuple(ns * (1 + place % 5) for place in range(count)), "user_ns": user}
