"""Whose the vCPUs are: processes by number and start, and the names of their guests. Pure."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.model.guest import Identity


def identities(vcpus: NDArray[Any]) -> list[Identity | None]:
    """Return the process of each vCPU, struct vcpu each; None where it is not to be counted."""
    pids, starts = (vcpus["owner"] >> 32).tolist(), vcpus["process_start"].tolist()
    traced = (vcpus["traced"] != 0).tolist()
    return [
        Identity(pid, start) if counts else None
        for pid, start, counts in zip(pids, starts, traced, strict=True)
    ]


def living(vcpus: NDArray[Any], owners: Sequence[Identity | None]) -> dict[Identity, bool]:
    """Return for each owner whether the thread of any of its vCPUs lives."""
    found: dict[Identity, bool] = {}
    for owner, lives in zip(owners, (vcpus["task"] != 0).tolist(), strict=True):
        if owner:
            found[owner] = found.get(owner, False) or lives
    return found


def vm_places(
    owners: Sequence[Identity | None], name_of: Callable[[Identity], str]
) -> tuple[tuple[str, ...], NDArray[np.uint32]]:
    """Return a name for each process, and for each vCPU the place of its own; 0 for none."""
    known = {owner: place for place, owner in enumerate(dict.fromkeys(filter(None, owners)))}
    places = [known[owner] if owner else 0 for owner in owners]
    return tuple(map(name_of, known)), np.array(places, np.uint32)
