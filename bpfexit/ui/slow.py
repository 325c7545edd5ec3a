"""Slow exits as lines of text, one each, with the headings above them."""

import time

from bpfexit.events.kind import NO_KIND
from bpfexit.model import numbers
from bpfexit.model.address_names import AddressName
from bpfexit.model.rows import NO_VCPU
from bpfexit.model.slow import Slow, SlowExit
from bpfexit.model.text import clean
from bpfexit.ui.tables import address

HEADINGS = (
    f"{'ended':15} {'took':>7} {'in user':>7}  {'vCPU':>4} {'guest':16} {'rip':18} reason, address"
)


def line(each: SlowExit, name: AddressName | None = None) -> str:
    """Return when it ended, how long it took, in user space of that, whose it was, and where."""
    clock = time.strftime("%H:%M:%S", time.localtime(each.end))
    when = f"{clock}.{int(each.end % 1 * 1e6):06d}"
    took = "" if each.ns is None else numbers.duration(each.ns)
    user = numbers.duration(each.user_ns) if each.user_ns else ""
    vcpu = "" if each.vcpu == NO_VCPU else str(each.vcpu)
    rip = "" if each.rip is None else f"{each.rip:#018x}"
    where = [clean(each.reason)] if each.reason is not None else []
    if each.kind != NO_KIND and each.address is not None:
        where.append(address(each.kind, each.address, each.access))
    if name:
        where.append(clean(name.marked))
    what = " ".join(where)
    return f"{when} {took:>7} {user:>7}  {vcpu:>4} {clean(each.vm):16} {rip:18} {what}"


def unreported(slow: Slow) -> str:
    """Say what is not in the lines; nothing when nothing is missing."""
    said = []
    if slow.limited:
        said.append(f"{numbers.count(slow.limited)} more slow exits, beyond --rate")
    if slow.dropped:
        said.append(f"{numbers.count(slow.dropped)} more slow exits, for which the buffer was full")
    return " and ".join(said)


def summary(count: int, reported: int, than_ns: int) -> str:
    """Say how many there were, and how many have a line."""
    exits = "1 exit" if count == 1 else f"{numbers.count(count)} exits"
    missing = (
        "" if count == reported else f", {numbers.count(count - reported)} of them not printed"
    )
    return f"{exits} took {numbers.duration(than_ns)} or longer{missing}"
