"""The vCPUs of a snapshot as JSON text, and the fields of one that its rows share."""

import json
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from bpfexit.formats.json.column_text import known_texts, records
from bpfexit.model.rows import NO_VCPU
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.vcpu_parts import PARTS

OWNER = ("vm", "pid", "tid", "vcpu")

_TEXTS_KEPT = 4096

Owner = Callable[[int, int, int, int], str]


def owner_of(snapshot: Snapshot) -> Owner:
    """Return what writes the fields `OWNER`; the most recent texts are kept."""
    vms = [json.dumps(name) for name in snapshot.vms]

    @lru_cache(_TEXTS_KEPT)
    def owner(vm: int, pid: int, tid: int, vcpu: int) -> str:
        number = "null" if vcpu == NO_VCPU else vcpu
        return f'"vm":{vms[vm]},"pid":{pid},"tid":{tid},"vcpu":{number}'

    return owner


def vcpus_text(snapshot: Snapshot, owner: Owner) -> str:
    """Return the entries of a list; what is not known of a vCPU's time is null."""
    vcpus, origin = snapshot.vcpus, snapshot.origin
    owners = [*map(owner, *(vcpus[name].tolist() for name in OWNER))]
    is_known = {"guest_ns": vcpus["has_parts"] | origin.has_exit_events}
    is_known["wait_ns"] = vcpus["has_parts"] & np.bool_(origin.has_waiting)
    columns = []
    for name in PARTS:
        known = is_known.get(name, vcpus["has_parts"])
        columns += [f',"{name}":', known_texts(vcpus[name], known)]
    return records(len(vcpus), ",{", owners, *columns, "}").removeprefix(",")
