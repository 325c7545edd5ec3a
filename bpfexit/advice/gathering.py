"""The evidence of each guest of a snapshot."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.advice.evidence import Evidence
from bpfexit.model.guest import known_guests
from bpfexit.model.rows import grouped
from bpfexit.model.snapshot import Snapshot


def gather(snapshot: Snapshot) -> Iterable[Evidence]:
    """Yield the evidence about each guest that was seen, without accesses outside exits."""
    known = known_guests(snapshot.guests)
    usages = {(usage.vm, usage.pid): usage for usage in snapshot.usage.guests}
    rows, vcpus = snapshot.rows.take(~snapshot.outside_exits), snapshot.vcpus
    (row_order, rows_of), (vcpu_order, vcpus_of) = map(_by_guest, (rows.fields, vcpus))
    rows, vcpus = rows.take(row_order), vcpus[vcpu_order]
    for owner in dict.fromkeys((*rows_of, *vcpus_of)):
        vm_index, pid = owner
        vm = snapshot.vms[vm_index]
        yield Evidence(
            vm=vm,
            pid=pid,
            guest=known(pid, vm),
            facts=snapshot.origin.facts,
            has_exit_events=snapshot.origin.has_exit_events,
            backend=snapshot.origin.backend,
            kernel=snapshot.origin.kernel,
            host_vcpus=len(snapshot.vcpus),
            has_waiting=snapshot.origin.has_waiting,
            seconds=snapshot.duration_s,
            rows=rows.part(*rows_of.get(owner, (0, 0))),
            vcpus=vcpus[slice(*vcpus_of.get(owner, (0, 0)))],
            reasons=snapshot.reasons,
            usage=usages.get((vm, pid)),
            host=snapshot.usage,
        )


def _by_guest(
    fields: NDArray[Any],
) -> tuple[NDArray[np.intp], dict[tuple[int, int], tuple[int, int]]]:
    """Return an order that puts each guest's entries together, and their bounds in it.

    A guest is identified by `vm` and `pid`. A pass over all rows per guest is quadratic.
    """
    order, begins = grouped(fields, ("vm", "pid"))
    starts = np.flatnonzero(begins)
    owners = fields[order[starts]][["vm", "pid"]].tolist()
    return order, dict(zip(owners, pairwise([*starts.tolist(), len(order)]), strict=True))
