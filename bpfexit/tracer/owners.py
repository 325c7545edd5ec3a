"""The owners of vCPUs: processes by PID and start, and the names of their guests. Pure."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.model.guest import Guest, Identity


def identities(vcpus: NDArray[Any]) -> list[Identity | None]:
    """Return the process of each vCPU, struct vcpu each; None if it is not counted."""
    pids, starts = (vcpus["owner"] >> 32).tolist(), vcpus["process_start"].tolist()
    traced = (vcpus["traced"] != 0).tolist()
    return [
        Identity(pid, start) if counts else None
        for pid, start, counts in zip(pids, starts, traced, strict=True)
    ]


def living(vcpus: NDArray[Any], owners: Sequence[Identity | None]) -> dict[Identity, bool]:
    """Return for each owner whether a thread of its vCPUs lives."""
    owners_by: dict[Identity, bool] = {}
    for owner, lives in zip(owners, (vcpus["task"] != 0).tolist(), strict=True):
        if owner:
            owners_by[owner] = owners_by.get(owner, False) or lives
    return owners_by


def vcpu_threads(
    vcpus: NDArray[Any], name_of: Callable[[Identity], str], guests: Iterable[Guest]
) -> dict[Identity, tuple[str, frozenset[int]]]:
    """Return the name of each guest that lives, and the threads of its vCPUs that were seen.

    Of `guests`, some may not have exited yet.
    """
    threads: dict[Identity, set[int]] = {}
    tids, live = (vcpus["owner"] & 0xFFFFFFFF).tolist(), (vcpus["task"] != 0).tolist()
    for owner, tid, lives in zip(identities(vcpus), tids, live, strict=True):
        if owner and lives:
            threads.setdefault(owner, set()).add(tid)
    seen = {owner.pid for owner in threads}
    quiet = [guest for guest in guests if not guest.ended and guest.pid not in seen]
    return {
        **{Identity(guest.pid): (guest.name, frozenset()) for guest in quiet},
        **{owner: (name_of(owner), frozenset(tids)) for owner, tids in threads.items()},
    }


def vm_places(
    owners: Sequence[Identity | None], name_of: Callable[[Identity], str]
) -> tuple[tuple[str, ...], NDArray[np.uint32]]:
    """Return the names of the processes, and for each vCPU the index of its name."""
    known = {owner: index for index, owner in enumerate(dict.fromkeys(filter(None, owners)))}
    indexes = [known[owner] if owner else 0 for owner in owners]
    return tuple(map(name_of, known)), np.array(indexes, np.uint32)
