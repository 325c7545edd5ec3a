"""Slow exits as lines of text, with headings."""

import time

from bpfexit.events.kind import NO_KIND
from bpfexit.model import numbers
from bpfexit.model.address_names import AddressName
from bpfexit.model.rows import NO_VCPU
from bpfexit.model.slow import Slow, SlowExit
from bpfexit.model.text import clean
from bpfexit.ui.labels import address

HEADINGS = (
    f"{'ended':15} {'took':>7} {'in user':>7}  {'vCPU':>4} {'guest':16} {'rip':18} reason, address"
)


def line(slow_exit: SlowExit, name: AddressName | None = None) -> str:
    """Return a slow exit's end, duration, time in user space, guest, reason and address."""
    clock = time.strftime("%H:%M:%S", time.localtime(slow_exit.end))
    when = f"{clock}.{int(slow_exit.end % 1 * 1e6):06d}"
    took = "" if slow_exit.ns is None else numbers.duration(slow_exit.ns)
    user = numbers.duration(slow_exit.user_ns) if slow_exit.user_ns else ""
    vcpu = "" if slow_exit.vcpu == NO_VCPU else str(slow_exit.vcpu)
    rip = "" if slow_exit.rip is None else f"{slow_exit.rip:#018x}"
    parts = [clean(slow_exit.reason)] if slow_exit.reason is not None else []
    if slow_exit.kind != NO_KIND and slow_exit.address is not None:
        parts.append(address(slow_exit.kind, slow_exit.address, slow_exit.access))
    if name:
        parts.append(clean(name.marked))
    target = " ".join(parts)
    return f"{when} {took:>7} {user:>7}  {vcpu:>4} {clean(slow_exit.vm):16} {rip:18} {target}"


def unreported(slow: Slow) -> str:
    """Return how many slow exits have no line; "" if all have one."""
    missing = []
    if slow.limited:
        missing.append(f"{numbers.count(slow.limited)} more slow exits, beyond --rate")
    if slow.dropped:
        missing.append(f"{numbers.count(slow.dropped)} more slow exits, dropped by a full buffer")
    return " and ".join(missing)


def summary(count: int, reported: int, than_ns: int) -> str:
    """Return how many slow exits there were, and how many have no line."""
    exits = "1 exit" if count == 1 else f"{numbers.count(count)} exits"
    missing = (
        "" if count == reported else f", {numbers.count(count - reported)} of them not printed"
    )
    return f"{exits} took {numbers.duration(than_ns)} or longer{missing}"
