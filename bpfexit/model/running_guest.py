"""A guest that is running, as a list of guests shows it."""

from __future__ import annotations

from dataclasses import dataclass

from bpfexit.model.guest import Guest


@dataclass(frozen=True)
class RunningGuest:
    """A guest with the size and the age of its machine; None where a value is unknown.

    `memory_bytes` is what the machine is configured with, `resident_bytes` the memory of
    its process that is in RAM now, which does not include hugetlb pages.
    """

    guest: Guest
    vcpus: int
    memory_bytes: int | None = None
    resident_bytes: int | None = None
    running_s: float | None = None
    uuid: str | None = None
