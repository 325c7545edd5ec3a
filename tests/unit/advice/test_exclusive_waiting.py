"""What keeps a guest waiting is said once, and agrees with what is known, whatever is known."""

from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest

from bpfexit.advice.finding import Finding
from bpfexit.model.usage import Allowed, GuestUsage, HostUsage, Quota, Role, ThreadTimes
from bpfexit.names.reasons import Isa
from tests.unit.advice.cases import PVM, SVM, VMX, pio, seen
from tests.unit.advice.recordings import causes, fixes, found
from tests.unit.advice.test_exclusive import KERNELS, MANAGERS, check_places
from tests.unit.builders import Exits

S = 10**9
QUOTAS: dict[str, tuple[Quota, ...] | None] = {
    "unknown": None,
    "none": (),
    "idle": (Quota("/a", 2.0, 1, 0),),
    "stops": (Quota("/a", 0.3, 1, 600_000_000),),
    "partly": (Quota("/a", 0.6, 1, 150_000_000),),
}
WAITS = (0, 600_000_000, None)
SWAPPED = ((0, 0), (300, 290), (300, 0), (None, None))
ALLOWED = ("", "0-7", "3")


def exits(backend: str, wait_ns: int | None) -> list[Exits]:
    """Return slow exits of several kinds; they waited if that was measured."""
    isa = {VMX: Isa.VMX, SVM: Isa.SVM, PVM: Isa.NONE}[backend]
    if backend == PVM:
        return [Exits(None, no_latency=100, user_ns=(S // 1000,) * 100, isa=isa, **pio(0x1F0))]
    names = {
        VMX: ("EPT_VIOLATION", "EXTERNAL_INTERRUPT", "PAUSE_INSTRUCTION", "IO_INSTRUCTION"),
        SVM: ("npf", "interrupt", "pause", "io"),
    }[backend]
    fault, interrupt, pause, io = names
    waits = (wait_ns or 0) // 2
    return [
        Exits(fault, ns=(2_000_000,) * 150, isa=isa),
        Exits(interrupt, ns=(5_000_000,) * 70, wait_ns=waits, isa=isa),
        Exits(pause, ns=(30_000,) * 3000, wait_ns=waits // 10, isa=isa),
        Exits(io, ns=(1_000_000,) * 50, user_ns=(900_000,) * 50, isa=isa, **pio(0x1F0)),
    ]


def usage(quotas: Any, wait_ns: int | None, swap: Any, allowed: str) -> HostUsage:
    pages, faults = swap
    guest = GuestUsage(
        "alpha",
        100,
        1.0,
        (ThreadTimes(Role.VCPU, 1, None if wait_ns is None else S // 5, wait_ns),),
        resident_bytes=1 << 30,
        swapped_bytes=1 << 28 if pages else pages,
        major_faults=faults,
        quotas=quotas,
        allowed=(Allowed(allowed, 1),) if allowed else (),
    )
    return HostUsage((guest,), pages)


@dataclass(frozen=True)
class Known:
    """What is known of a guest, and what is said of it."""

    quotas: str
    wait_ns: int | None
    swap: tuple[int | None, int | None]
    findings: dict[str, Finding]
    told: str

    @property
    def fixes(self) -> str:
        return fixes(self.findings.values())

    @property
    def possible(self) -> str:
        """The causes that the data leaves."""
        return " ".join(map(causes, self.findings.values()))


def about_quotas(known: Known) -> None:
    """Check that a quota is no cause and no candidate where none stopped the guest."""
    starved = known.findings.get("cpu-starved")
    if known.quotas in ("none", "idle"):
        assert "higher CPU quota" not in known.fixes, known.told
        assert "CPU quota" not in known.possible, known.told
    if starved and known.quotas == "stops":
        assert starved.advice.title.endswith("a CPU quota stops them"), known.told
        assert "higher CPU quota" in known.fixes, known.told


def about_waiting(known: Known) -> None:
    """Check that waiting is none where none was measured, and a finding where it was."""
    starved = known.findings.get("cpu-starved")
    if known.wait_ns == 0:
        assert "waits for a CPU" not in known.possible, known.told
        assert "run on the vCPU's CPU" not in known.possible, known.told
    if known.wait_ns is not None:
        assert bool(starved) == bool(known.wait_ns), known.told
    if starved and "pause" in known.findings:
        assert "holder is not running" in known.findings["pause"].advice.title, known.told


def about_swap(known: Known, backend: str) -> None:
    """Check that swap is none where no page came from it, and a finding where they did."""
    if known.swap[0] == 0:
        assert "swapped" not in known.possible, known.told
        assert "swapped-memory" not in known.findings, known.told
    if known.swap == (300, 290) and backend != PVM:
        assert "swapped-memory" in known.findings, known.told
        assert "memory-faults" not in known.findings, known.told


@pytest.mark.parametrize("backend", [VMX, SVM, PVM])
@pytest.mark.parametrize("kernel", KERNELS)
def test_causes_agree_with_what_is_known(backend: str, kernel: str) -> None:
    managers = list(MANAGERS)
    combinations = product(QUOTAS, WAITS, SWAPPED, ALLOWED, (True, False))
    for number, (quotas, wait_ns, swap, allowed, by_event) in enumerate(combinations):
        manager = managers[number % len(managers)]
        of = seen(
            *exits(backend, wait_ns if by_event else None),
            backend=backend,
            kernel=kernel,
            guest=MANAGERS[manager],
            usage=usage(QUOTAS[quotas], wait_ns, swap, allowed),
            cpus=8,
            swap_bytes=1 << 33,
            swap_used_bytes=1 << 30,
        )
        findings = found(of)
        told = f"{quotas} {wait_ns} {swap} {allowed} {by_event} {manager}: {[*findings]}"
        known = Known(quotas, wait_ns, swap, findings, told)
        about_quotas(known)
        about_waiting(known)
        about_swap(known, backend)
        shown = [index for one in findings.values() for index in one.exits.rows["reason"].tolist()]
        assert len(shown) == len(set(shown)), told
        check_places(findings.values(), of.guests[0])
