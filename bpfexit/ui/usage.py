"""What one guest takes of its host, as a line above its exits."""

from collections.abc import Iterator
from math import isnan

from rich.text import Text

from bpfexit.model import numbers
from bpfexit.model.usage import GuestUsage, Role

_ROLES = {
    Role.VCPU: "vCPUs",
    Role.EMULATOR: "emulator",
    Role.IOTHREAD: "iothreads",
    Role.VHOST: "vhost",
}


def usage_line(guest: GuestUsage) -> Text:
    """Return the CPU time and the waiting of its threads, and its memory."""
    threads = ", ".join(_threads(guest)) or "unknown"
    text = "; ".join((f"CPU: {threads}", *_memory(guest)))
    return Text(text, no_wrap=True, overflow="ellipsis")


def _threads(guest: GuestUsage) -> Iterator[str]:
    for role, name in _ROLES.items():
        if guest.times(role) is None:
            continue
        cpu, wait = guest.cpu(role), guest.wait(role)
        if isnan(cpu):
            yield f"{name} unknown"
            continue
        waited = f" (waiting {numbers.share(wait)}%)" if role is Role.VCPU or wait >= 0.01 else ""
        yield f"{name} {numbers.share(cpu)}%{waited}"
    if guest.throttled_ns:
        yield f"throttled {numbers.share(guest.throttled)}%"


def _memory(guest: GuestUsage) -> Iterator[str]:
    if guest.resident_bytes is None:
        return
    swap = f", {numbers.memory(guest.swapped_bytes)} in swap" if guest.swapped_bytes else ""
    nodes = ", ".join(f"node {node} {numbers.memory(size)}" for node, size in guest.nodes)
    on = f" ({nodes})" if nodes else ""
    yield f"memory {numbers.memory(guest.resident_bytes)}{on}{swap}"
