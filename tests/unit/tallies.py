"""The rows and vCPUs of a snapshot by what they are about, added up in plain Python."""

from bpfexit.model.rows import IDENTITY, NO_REASON, SUMS
from bpfexit.model.snapshot import Snapshot

Tally = dict[tuple[object, ...], tuple[int, ...]]
"""`SUMS`, `max_ns` and the buckets, by what they are about."""


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


def vcpu_tally(of: Snapshot) -> dict[tuple[object, ...], tuple[int, ...]]:
    """Return the time of each vCPU, and if it has all parts, by its VM's name and its numbers."""
    found: dict[tuple[object, ...], tuple[int, ...]] = {}
    for vm, pid, tid, vcpu, *parts, has_parts in of.vcpus.tolist():
        key = (of.vms[vm], pid, tid, vcpu)
        before = found.get(key, (*[0] * len(parts), True))
        sums = [a + b for a, b in zip(before, parts, strict=False)]
        found[key] = (*sums, before[-1] and has_parts)
    return found
