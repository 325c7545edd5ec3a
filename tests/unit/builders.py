"""Snapshots built from what the guests did: exits with their latencies, one group a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from bpfexit.model.rows import IDENTITY, NO_REASON, NO_VCPU, SUMS, Rows, no_rows
from bpfexit.model.slow import SlowExit
from bpfexit.model.snapshot import VCPU_FIELDS, Origin, Snapshot
from bpfexit.names.reasons import Isa


@dataclass(frozen=True)
class Exits:
    """Exits of one vCPU that share a reason and an access; `ns` and `user_ns` are one an exit."""

    reason: str | None = "IO_INSTRUCTION"
    ns: tuple[int, ...] = ()
    no_latency: int = 0
    user_ns: tuple[int, ...] = ()
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
    """Return a snapshot with a row for each; every vCPU ran in the guest for `guest_ns`."""
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
        origin=origin or Origin("host", "6.18.0", "kvm_intel", has_exit_events=True),
        guests=guests,
        cost=cost or OwnCost(),
    )


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
        )
    counts = [histogram(each.ns) for each in exits]
    return Rows(fields, Histograms.of(np.array(counts, np.uint64).reshape(-1, BUCKETS)))


def _vcpus(exits: Sequence[Exits], vms: tuple[str, ...], guest_ns: int) -> Any:
    seen = dict.fromkeys((vms.index(e.vm), e.pid, e.tid, e.vcpu) for e in exits)
    return np.array([(*identity, guest_ns) for identity in seen], VCPU_FIELDS)


Tally = dict[tuple[object, ...], tuple[int, ...]]
"""Count, timed, total_ns, user_count, user_ns, max_ns and the buckets, by what they are about."""


def tally(of: Snapshot) -> Tally:
    """Return the snapshot's rows by what they are about, in names, added up in plain Python."""
    found: Tally = {}
    for row, hist in zip(of.rows.fields, of.rows.hist.dense(), strict=True):
        reason = None if row["reason"] == NO_REASON else of.reasons[row["reason"]]
        others = tuple(int(row[name]) for name in IDENTITY if name not in ("vm", "reason"))
        key = (of.vms[row["vm"]], reason, *others)
        values = (*(int(row[name]) for name in (*SUMS, "max_ns")), *hist.tolist())
        found[key] = tally_sum(found[key], values) if key in found else values
    return found


def tally_sum(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    """Add up two values of a tally; of the maxima, the larger one counts."""
    sums = [x + y for x, y in zip(a, b, strict=True)]
    sums[len(SUMS)] = max(a[len(SUMS)], b[len(SUMS)])
    return tuple(sums)


def vcpu_tally(of: Snapshot) -> dict[tuple[object, ...], int]:
    """Return the guest time of each vCPU, by its VM's name and its numbers."""
    found: dict[tuple[object, ...], int] = {}
    for vm, pid, tid, vcpu, guest_ns in of.vcpus.tolist():
        key = (of.vms[vm], pid, tid, vcpu)
        found[key] = found.get(key, 0) + guest_ns
    return found


LATENCIES = st.lists(st.integers(0, 2**37), max_size=4).map(tuple)
HOSTILE = st.text(st.characters(codec=None, exclude_categories=[]), max_size=12)
"""Names of guests as their owners may choose them: any character, lone surrogates too."""

_VMS = st.sampled_from(["alpha", "beta"]) | HOSTILE
_VMX = st.sampled_from(["HLT", "EPT_VIOLATION", "IO_INSTRUCTION", "MSR_WRITE"])
_SVM = st.sampled_from(["hlt", "npf", "io", "msr", "idle-halt"])
_REASONS = {Isa.VMX: _VMX, Isa.SVM: _SVM, Isa.NONE: st.none()}


@st.composite
def exit_groups(draw: st.DrawFn, isa: Isa = Isa.VMX, vms: st.SearchStrategy[str] = _VMS) -> Exits:
    """Return some exits; without an ISA they have neither reason nor latency, as on PVM."""
    kind = draw(st.sampled_from(list(KINDS.values())))
    vcpu = draw(st.integers(0, 2) | st.just(NO_VCPU))
    timed = draw(LATENCIES) if isa else ()
    no_latency = draw(st.integers(0 if timed else 1, 3))
    count = len(timed) + no_latency
    return Exits(
        reason=draw(_REASONS[isa]),
        ns=timed,
        no_latency=no_latency,
        user_ns=tuple(draw(st.lists(st.integers(1, 10**9), max_size=count))),
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
    return snapshot(
        *draw(st.lists(exit_groups(isa), max_size=6)),
        guest_ns=draw(st.integers(0, 2**40)) if isa else 0,
        start=draw(st.floats(0, 1e10)),
        duration_s=draw(st.floats(0, 1e4)),
        lost=draw(_LOSSES),
        in_flight=draw(st.integers(0, 9)),
        origin=Origin(draw(HOSTILE), "6.18.0", "kvm_x", has_exit_events=bool(isa)),
        cost=draw(OWN_COSTS),
    )


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
