"""The guests that are running, as `/proc` shows them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bpfexit.guests.configured import configured_memory, configured_uuid
from bpfexit.guests.guests import VM, guests_of
from bpfexit.host.processes import Process, command_line, descriptors, process, process_list
from bpfexit.model.guest import Guest
from bpfexit.model.running_guest import RunningGuest

_VCPU = re.compile(r"anon_inode:kvm-vcpu:([0-9]+)", re.ASCII)


@dataclass(frozen=True)
class Listing:
    """The guests in order of name, and the number of processes that could not be examined."""

    guests: tuple[RunningGuest, ...] = ()
    not_examined: int = 0


def list_guests(root: Path = Path("/")) -> Listing:
    """Examine every process. Raises `BpfexitError` if processes cannot be listed."""
    vcpus: dict[int, int] = {}
    not_examined = 0
    for pid in process_list(root):
        try:
            links = descriptors(pid, root)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended since it was listed
        except OSError:
            not_examined += 1
            continue
        if None in links:
            not_examined += 1
        elif VM in links:
            vcpus[pid] = _number_of_vcpus(links)
    guests = guests_of(vcpus, root)
    uptime_s = _uptime_s(root)
    running = (_running(guest, vcpus[guest.pid], uptime_s, root) for guest in guests)
    return Listing(tuple(sorted(filter(None, running), key=_order)), not_examined)


def _number_of_vcpus(links: Iterable[str | None]) -> int:
    """Count vCPU IDs, not descriptors: a VMM may duplicate them, as Python's mmap does."""
    return len({match[1] for link in links if link and (match := _VCPU.fullmatch(link))})


def _running(guest: Guest, vcpus: int, uptime_s: float | None, root: Path) -> RunningGuest | None:
    """Return a guest; None if it has ended since it was found."""
    about = process(guest.pid, root)
    if about is None or about.ended:
        return None
    arguments = command_line(guest.pid, root)
    return RunningGuest(
        guest,
        vcpus,
        memory_bytes=configured_memory(guest, arguments),
        resident_bytes=_resident_bytes(guest.pid, root),
        running_s=_running_s(about, uptime_s),
        uuid=configured_uuid(guest, arguments),
    )


def _order(running: RunningGuest) -> tuple[str, int]:
    return running.guest.name, running.guest.pid


def _resident_bytes(pid: int, root: Path) -> int | None:
    pages = _field(root / "proc" / str(pid) / "statm", 1)
    return None if pages is None else int(pages) * os.sysconf("SC_PAGE_SIZE")


def _running_s(about: Process, uptime_s: float | None) -> float | None:
    """Return the age of a process, accurate to a clock tick (10 ms)."""
    if uptime_s is None:
        return None
    return max(0.0, round(uptime_s - about.started / os.sysconf("SC_CLK_TCK"), 2))


def _uptime_s(root: Path) -> float | None:
    return _field(root / "proc" / "uptime", 0)


def _field(path: Path, index: int) -> float | None:
    """Return a number from a file with a line of numbers; None if it is missing."""
    try:
        return float(path.read_text().split()[index])
    except (OSError, ValueError, IndexError):
        return None
