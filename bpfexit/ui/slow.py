"""Slow exits as lines of text, with headings."""

import time

from bpfexit.events.kind import NO_KIND
from bpfexit.model import numbers
from bpfexit.model.address_names import AddressName
from bpfexit.model.rows import NO_VCPU
from bpfexit.model.slow import Slow, SlowExit
from bpfexit.model.snapshot import Origin
from bpfexit.model.text import clean
from bpfexit.ui.labels import address

_USUAL = Origin()


def headings(origin: Origin = _USUAL) -> str:
    """Return the headings of the lines of a host: it may not measure everything."""
    times = _times(origin, "took", "in user", "waiting", "blocked")
    return f"{'ended':15}{times}  {'vCPU':>4} {'guest':16} {'rip':18} reason, address"


def line(slow_exit: SlowExit, name: AddressName | None = None, origin: Origin = _USUAL) -> str:
    """Return a slow exit's end, duration, parts of it, guest, reason and address."""
    clock = time.strftime("%H:%M:%S", time.localtime(slow_exit.end))
    when = f"{clock}.{int(slow_exit.end % 1 * 1e6):06d}"
    took = "" if slow_exit.ns is None else numbers.duration(slow_exit.ns)
    parts_ns = (slow_exit.user_ns, slow_exit.waited_ns, slow_exit.was_blocked_ns)
    times = _times(origin, took, *(numbers.duration(ns) if ns else "" for ns in parts_ns))
    vcpu = "" if slow_exit.vcpu == NO_VCPU else str(slow_exit.vcpu)
    rip = "" if slow_exit.rip is None else f"{slow_exit.rip:#018x}"
    parts = [clean(slow_exit.reason)] if slow_exit.reason is not None else []
    if slow_exit.kind != NO_KIND and slow_exit.address is not None:
        parts.append(address(slow_exit.kind, slow_exit.address, slow_exit.access))
    if name:
        parts.append(clean(name.marked))
    target = " ".join(parts)
    return f"{when}{times}  {vcpu:>4} {clean(slow_exit.vm):16} {rip:18} {target}"


def _times(origin: Origin, took: str, user: str, waiting: str, blocked: str) -> str:
    shown = (
        *(took, user),
        *([waiting] if origin.has_waiting else []),
        *([blocked] if origin.has_blocked else []),
    )
    return "".join(f" {text:>7}" for text in shown)


def unreported(slow: Slow) -> str:
    """Return how many slow exits have no line; "" if all have one."""
    missing = []
    if slow.limited:
        missing.append(f"{_more(slow.limited)}, beyond --rate")
    if slow.dropped:
        missing.append(f"{_more(slow.dropped)}, dropped by a full buffer")
    return " and ".join(missing)


def _more(count: int) -> str:
    return f"{numbers.count(count)} more slow {'exit' if count == 1 else 'exits'}"


def summary(count: int, reported: int, than_ns: int) -> str:
    """Return how many slow exits there were, and how many have no line."""
    exits = "1 exit" if count == 1 else f"{numbers.count(count)} exits"
    missing = (
        "" if count == reported else f", {numbers.count(count - reported)} of them not printed"
    )
    return f"{exits} took {numbers.duration(than_ns)} or longer{missing}"
