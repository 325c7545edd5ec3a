"""Snapshots built from what the guests did: exits with their latencies, one group a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from bpfexit.events.access import Access
from bpfexit.events.kind import NO_KIND, Kind
from bpfexit.events.mmio import MMIO
from bpfexit.events.msr import MSR
from bpfexit.events.pio import PIO
from bpfexit.events.region import Region
from bpfexit.events.registry import KINDS
from bpfexit.model.guest import Guest, NameSource
from bpfexit.model.histogram import BUCKETS, bucket_of
from bpfexit.model.histograms import Histograms
from bpfexit.model.losses import Lost
from bpfexit.model.own_cost import OwnCost, ProgramRuns, ProgramsCost
from bpfexit.model.rows import NO_REASON, NO_VCPU, Rows, no_rows
from bpfexit.model.slow import SlowExit
from bpfexit.model.snapshot import VCPU_FIELDS, Origin, Snapshot
from bpfexit.model.vcpu_parts import PARTS
from bpfexit.names.reasons import Isa


@dataclass(frozen=True)
class Exits:
    """Exits of one vCPU that share a reason and an access; `ns` and `user_ns` are one an exit."""

    reason: str | None = "IO_INSTRUCTION"
    ns: tuple[int, ...] = ()
    no_latency: int = 0
    user_ns: tuple[int, ...] = ()
    wait_ns: int = 0  # of all of `ns`
    user_wait_ns: int = 0  # of all of `user_ns`
    blocked_ns: int = 0
    user_blocked_ns: int = 0
    poll_ns: int = 0
    kind: Kind = NO_KIND
    access: Access = Access.NONE
    address: int = 0
    size: int = 0
    vm: str = "alpha"
    pid: int = 100
    tid: int = 101
    vcpu: int = 0
    isa: Isa = Isa.VMX

    @property
    def count(self) -> int:
        return len(self.ns) + self.no_latency


def pio(port: int, **about: Any) -> Exits:
    """Return reads of a port; everything else as `Exits` has it, or as said."""
    return Exits(**{"kind": PIO, "access": Access.READ, "size": 1, "address": port} | about)


def snapshot(
    *exits: Exits,
    guest_ns: int = 0,
    start: float = 1000.0,
    duration_s: float = 1.0,
    lost: Lost | None = None,
    in_flight: int = 0,
    origin: Origin | None = None,
    guests: tuple[Guest, ...] = (),
    cost: OwnCost | None = None,
) -> Snapshot:
    """Return a snapshot with a row for each; every vCPU ran in the guest for `guest_ns`.

    Without an `origin`, waiting, blocked time and polling are measured if any of the exits did.
    """
    waited = any(each.wait_ns or each.user_wait_ns for each in exits)
    blocked = any(each.blocked_ns or each.user_blocked_ns for each in exits)
    views = ("halt",) if any(each.poll_ns for each in exits) else ()
    origin = origin or Origin(
        *("host", "6.18.0", "kvm_intel"), has_waiting=waited, has_blocked=blocked, views=views
    )
    vms = tuple(dict.fromkeys(each.vm for each in exits))
    reasons = tuple(dict.fromkeys(each.reason for each in exits if each.reason is not None))
    return Snapshot(
        start=start,
        duration_s=duration_s,
        rows=_rows(exits, vms, reasons),
        vcpus=_vcpus(exits, vms, guest_ns),
        vms=vms,
        reasons=reasons,
        lost=lost or Lost(),
        in_flight=in_flight,
        origin=origin,
        guests=guests,
        cost=cost or OwnCost(),
    )


def with_parts(of: Snapshot, *parts: int) -> Snapshot:
    """Return it with these parts of the time of each vCPU, in the order of `PARTS`."""
    vcpus = of.vcpus.copy()
    for name, ns in zip(PARTS, parts, strict=True):
        vcpus[name] = ns
    vcpus["has_parts"] = True
    return replace(of, vcpus=vcpus)


def histogram(ns: Sequence[int]) -> Any:
    """Return the bucket counts of latencies."""
    return np.bincount(bucket_of(np.array(ns, np.uint64)), minlength=BUCKETS).astype(np.uint64)


def counted(n: int, counts: Mapping[tuple[int, int], int]) -> Histograms:
    """Return `n` histograms with these counts, by histogram and bucket."""
    dense = np.zeros((n, BUCKETS), np.uint64)
    for place, count in counts.items():
        dense[place] = count
    return Histograms.of(dense)


def _rows(exits: Sequence[Exits], vms: tuple[str, ...], reasons: tuple[str, ...]) -> Rows:
    fields = no_rows(len(exits)).fields
    for at, each in enumerate(exits):
        fields[at] = (
            vms.index(each.vm),
            each.pid,
            each.tid,
            each.vcpu,
            each.isa,
            NO_REASON if each.reason is None else reasons.index(each.reason),
            each.kind,
            each.access,
            each.size,
            each.address,
            each.count,
            len(each.ns),
            sum(each.ns),
            max(each.ns, default=0),
            len(each.user_ns),
            sum(each.user_ns),
            each.wait_ns,
            each.user_wait_ns,
            each.blocked_ns,
            each.user_blocked_ns,
            each.poll_ns,
            0,
        )
    counts = [histogram(each.ns) for each in exits]
    return Rows(fields, Histograms.of(np.array(counts, np.uint64).reshape(-1, BUCKETS)))


def _vcpus(exits: Sequence[Exits], vms: tuple[str, ...], guest_ns: int) -> Any:
    seen = dict.fromkeys((vms.index(e.vm), e.pid, e.tid, e.vcpu) for e in exits)
    return np.array([(*identity, guest_ns, 0, 0, 0, 0, False) for identity in seen], VCPU_FIELDS)


LATENCIES = st.lists(st.integers(0, 2**37), max_size=4).map(tuple)
HOSTILE = st.text(st.characters(codec=None, exclude_categories=[]), max_size=12)
"""Names of guests as their owners may choose them: any character, lone surrogates too."""

_VMS = st.sampled_from(["alpha", "beta"]) | HOSTILE
_VMX = st.sampled_from(["HLT", "EPT_VIOLATION", "IO_INSTRUCTION", "MSR_WRITE"])
_SVM = st.sampled_from(["hlt", "npf", "io", "msr", "idle-halt"])
_PVM = st.sampled_from(["HYPERCALL", "PF excp"])
_REASONS = {Isa.VMX: _VMX, Isa.SVM: _SVM, Isa.PVM: _PVM, Isa.NONE: st.none()}


@st.composite
def exit_groups(
    draw: st.DrawFn,
    isa: Isa = Isa.VMX,
    vms: st.SearchStrategy[str] = _VMS,
    *,
    has_waiting: bool = False,
    has_blocked: bool = False,
    has_polling: bool = False,
) -> Exits:
    """Return some exits; without an ISA they have neither reason nor latency, as on PVM."""
    kind = draw(st.sampled_from(list(KINDS.values())))
    vcpu = draw(st.integers(0, 2) | st.just(NO_VCPU))
    timed = draw(LATENCIES) if isa else ()
    no_latency = draw(st.integers(0 if timed else 1, 3))
    count = len(timed) + no_latency
    user_ns = tuple(draw(st.lists(st.integers(1, 10**9), max_size=count)))
    return Exits(
        reason=draw(_REASONS[isa]),
        ns=timed,
        no_latency=no_latency,
        user_ns=user_ns,
        wait_ns=draw(st.integers(0, sum(timed))) if has_waiting else 0,
        user_wait_ns=draw(st.integers(0, sum(user_ns))) if has_waiting else 0,
        blocked_ns=draw(st.integers(0, sum(timed))) if has_blocked else 0,
        user_blocked_ns=draw(st.integers(0, sum(user_ns))) if has_blocked else 0,
        poll_ns=draw(st.integers(0, sum(timed))) if has_polling else 0,
        kind=kind,
        access=draw(st.sampled_from([Access.READ, Access.WRITE])) if kind else Access.NONE,
        address=draw(st.sampled_from([0x70, 0x608, 2**64 - 1])) if kind else 0,
        size=draw(st.sampled_from([0, 1, 4, 255])) if kind else 0,
        vm=draw(vms),
        pid=draw(st.integers(100, 101)),
        tid=draw(st.integers(200, 201)),
        vcpu=vcpu,
        isa=isa,
    )


_LOSSES = st.builds(Lost, *[st.integers(0, 2**40)] * 5)

_SECONDS = st.floats(0, 1e9)
_RUNS = st.builds(ProgramRuns, HOSTILE, st.integers(0, 2**62), st.integers(0, 2**62))
PROGRAMS_COSTS = st.builds(
    ProgramsCost, _SECONDS, _SECONDS, st.integers(0, 2**62), st.lists(_RUNS, max_size=3).map(tuple)
)
OWN_COSTS = st.builds(OwnCost, _SECONDS, _SECONDS, st.none() | PROGRAMS_COSTS)


@st.composite
def snapshots(draw: st.DrawFn, isa: Isa | None = None) -> Snapshot:
    """Return a snapshot of one back end: that of `isa`, or any."""
    isa = draw(st.sampled_from(Isa)) if isa is None else isa
    has_waiting, has_blocked, has_polling = draw(st.tuples(*[st.booleans()] * 3))
    groups = exit_groups(
        isa, has_waiting=has_waiting, has_blocked=has_blocked, has_polling=has_polling
    )
    of = snapshot(
        *draw(st.lists(groups, max_size=6)),
        guest_ns=draw(st.integers(0, 2**40)) if isa else 0,
        start=draw(st.floats(0, 1e10)),
        duration_s=draw(st.floats(0, 1e4)),
        lost=draw(_LOSSES),
        in_flight=draw(st.integers(0, 9)),
        origin=Origin(
            *(draw(HOSTILE), "6.18.0", "kvm_x", bool(isa)),
            has_waiting=has_waiting,
            has_blocked=has_blocked,
            views=("halt",) if has_polling else (),
        ),
        cost=draw(OWN_COSTS),
    )
    parts = draw(st.none() | st.tuples(*[st.integers(-9, 2**40)] * len(PARTS))) if isa else None
    if parts is None:
        return of
    known = parts if has_waiting else (*parts[:3], 0, parts[4])
    return with_parts(of, *known)


@st.composite
def guests(draw: st.DrawFn) -> Guest:
    """Return what may be known of a guest; its owner chose the words."""
    regions_of = st.builds(
        Region,
        st.sampled_from([PIO, MMIO, MSR]),
        st.sampled_from([0x70, 0x608]),
        st.sampled_from([0x608, 2**64 - 1]),
        HOSTILE,
    )
    regions = draw(st.lists(regions_of, max_size=3))
    return Guest(
        pid=draw(st.integers(100, 103)),
        name=draw(st.sampled_from(["alpha", "beta"]) | HOSTILE),
        named_by=draw(st.sampled_from(["", "qemu", "libvirt"])),
        vmm=draw(st.sampled_from(["", "qemu"])),
        options=tuple(draw(st.lists(st.tuples(HOSTILE, HOSTILE), max_size=3))),
        regions=tuple(sorted(regions, key=lambda each: (each.kind, each.first))),
        mapped_by=draw(st.sampled_from([None, *NameSource])),
        ended=draw(st.booleans()),
        manager=draw(st.sampled_from(["", "libvirt", "proxmox"])),
        cpu_quota=draw(st.none() | st.floats(0, 1e4)),
    )


SLOW_EXIT = SlowExit(
    end=1002.25,
    vm="web",
    pid=500,
    tid=600,
    vcpu=7,
    reason="io",
    kind=PIO,
    access=Access.READ,
    size=4,
    address=0x608,
    rip=0x7C12,
    ns=1_500_000,
    user_ns=1_400_000,
)
"""A slow read of the ACPI PM timer."""
