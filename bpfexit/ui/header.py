"""The lines above a table as rich renderables: origin, totals, vCPU time, losses. No I/O.

Every text that comes from a guest or a file goes through `clean` into a `Text`:
rich's markup is never interpreted.
"""

import time
from dataclasses import asdict

from rich.console import Group, RenderableType
from rich.text import Text

from bpfexit.model import numbers
from bpfexit.model.ended import OTHERS
from bpfexit.model.losses import LOSSES, NOT_COUNTED
from bpfexit.model.snapshot import Snapshot, times
from bpfexit.model.text import clean
from bpfexit.model.time_account import knows_time, total_time
from bpfexit.ui.cost import cost_line
from bpfexit.ui.usage import usage_line

_NOTICE_LIMIT = 512
"""Maximum characters of a notice; the screen's width cuts all notices together."""


def header(snapshot: Snapshot, title: str = "") -> RenderableType:
    """Return the lines above a table."""
    return Group(*header_lines(snapshot, title))


def header_lines(snapshot: Snapshot, title: str = "", *, with_cost: bool = False) -> list[Text]:
    """Return the lines above a table: origin, totals, vCPU time and losses.

    The cost of bpfexit is included if its programs were measured in that time, or
    `with_cost` is set.
    """
    lines = [origin_line(snapshot), totals_line(snapshot, title), _time(snapshot), lost(snapshot)]
    if len(snapshot.usage.guests) == 1:
        lines.append(usage_line(snapshot.usage.guests[0]))
    if snapshot.ended:
        lines.append(_ended(snapshot))
    if snapshot.notices:
        lines.append(_notices(snapshot))
    if snapshot.cost.programs or (with_cost and snapshot.cost.over_s):
        lines.append(_cost(snapshot))
    return [*lines, *without_exits(snapshot)]


def origin_line(snapshot: Snapshot) -> Text:
    """Return host, kernel, back end, numbers of guests and vCPUs, and the end of the interval."""
    origin = snapshot.origin
    guests, vcpus = len(set(snapshot.vcpus["vm"].tolist())), len(snapshot.vcpus)
    guests += len(snapshot.without_vcpus) + max(0, snapshot.others - 1)
    clock = time.strftime("%H:%M:%S", time.localtime(snapshot.start + snapshot.duration_s))
    text = Text(overflow="ellipsis", no_wrap=True)
    text.append(clean(origin.host), style="bold")
    text.append(f"  Linux {clean(origin.kernel)}  {clean(origin.backend)}")
    return text.append(f"  {plural(guests, 'guest')}, {plural(vcpus, 'vCPU')}  {clock}")


def totals_line(snapshot: Snapshot, title: str = "") -> Text:
    """Return the exits per second, their number, and the title."""
    unit = "exits" if snapshot.origin.has_exit_events else "accesses"
    rate = numbers.rate(snapshot.per_second(snapshot.exits))
    text = Text(f"{rate} {unit}/s", style="bold", no_wrap=True)
    counted = f"  {numbers.count(snapshot.exits)} in {snapshot.duration_s:.2f} s"
    return text.append(counted, style="not bold").append(f"  {clean(title)}" if title else "")


def _time(snapshot: Snapshot) -> Text:
    """Return the shares of the vCPUs' time; without VM entries, only user space is known."""
    if snapshot.only and times(snapshot).total:
        return _time_of_some(snapshot)
    time = total_time(snapshot) if knows_time(snapshot) else None
    if not time or not time.total:
        busy = _per_second(times(snapshot).user, snapshot)
        return Text(f"time: in user space {busy} per second", no_wrap=True)
    shares = time.shares
    guest, kvm, user_space, idle = (
        numbers.share(part) for part in (shares.guest, shares.kvm, shares.user, shares.idle)
    )
    waiting = "unknown" if shares.wait is None else f"{numbers.share(shares.wait)}%"
    return Text(
        f"time: guest {guest}%, KVM {kvm}%, user space {user_space}%, waiting {waiting}, "
        f"idle {idle}%",
        no_wrap=True,
        overflow="ellipsis",
    )


def _time_of_some(snapshot: Snapshot) -> Text:
    """Return the time of the filtered reasons: shares would need all other reasons."""
    vcpu_times = times(snapshot)
    amounts = (vcpu_times.exits + vcpu_times.idle, vcpu_times.user)
    exits, user = (_per_second(ns, snapshot) for ns in amounts)
    only = clean(", ".join(snapshot.only))
    text = f"time: {exits} per second in exits of {only} alone (in user space {user})"
    return Text(text, no_wrap=True, overflow="ellipsis")


def _per_second(ns: float, snapshot: Snapshot) -> str:
    """Return a time per second of the interval, which may have lasted none."""
    return numbers.duration(snapshot.per_second(ns))


def lost(snapshot: Snapshot) -> Text:
    """Return the losses, or that there are none."""
    losses = {name: number for name, number in asdict(snapshot.lost).items() if number}
    text = Text(no_wrap=True, overflow="ellipsis")
    if not losses:
        text.append("lost: nothing", style="dim")
    for name, number in losses.items():
        style = "bold red" if name in NOT_COUNTED else "yellow"
        text.append(f"{name} {numbers.count(number)}", style=style)
        text.append(f" ({LOSSES[name]})  ", style="dim")
    if snapshot.in_flight:
        text.append(f"  in flight: {snapshot.in_flight}", style="dim")
    return text


def _cost(snapshot: Snapshot) -> Text:
    line = cost_line(snapshot.cost, snapshot.origin)
    return Text(line, style="dim", no_wrap=True, overflow="ellipsis")


def without_exits(snapshot: Snapshot) -> list[Text]:
    """Return a line on accesses without an exit, if there are any."""
    if not snapshot.origin.has_exit_events:
        return [no_exit_notice(snapshot)]
    if not snapshot.without_exit:
        return []
    some = f"{numbers.count(snapshot.without_exit)} accesses took no exit"
    text = f"{some}: emulated by KVM, no reason and no latency"
    return [Text(text, "yellow", no_wrap=True, overflow="ellipsis")]


def no_exit_notice(snapshot: Snapshot) -> Text:
    """Return what is unknown on a back end without exit events."""
    backend = clean(snapshot.origin.backend)
    return Text(
        f"{backend} has no kvm_exit event: no reasons or latencies; access counts are exact",
        "yellow",
        no_wrap=True,
        overflow="ellipsis",
    )


def _ended(snapshot: Snapshot) -> Text:
    ended = snapshot.ended
    known = dict.fromkeys((guest.pid, guest.name) for guest in snapshot.guests)
    names = [clean(name) for pid, name in known if (pid, name) in ended and name != OTHERS]
    before = f"{numbers.count(snapshot.others)} others, " if snapshot.others else ""
    text = f"ended: {before}{', '.join(names)}"
    return Text(text, "yellow", no_wrap=True, overflow="ellipsis")


def _notices(snapshot: Snapshot) -> Text:
    text = "; ".join(clean(notice, _NOTICE_LIMIT) for notice in snapshot.notices)
    return Text(text, "yellow", no_wrap=True, overflow="ellipsis")


def plural(number: int, what: str) -> str:
    """Return a number of things in words."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
