"""Options of QEMU's command line that describe a guest's machine, without secrets.

Only the options listed here are kept, most of them only with listed properties, and only
values that are words or numbers: no path, no address, no text.
"""

import json
import re
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

from bpfexit.host.processes import command_line

Options = tuple[tuple[str, str], ...]

MOST = 256
"""Maximum options of a guest that are kept."""

LONGEST = 4096
"""Maximum characters of a value; a `-cpu` with all its flags has some 1,500."""

MOST_CHARACTERS = 1 << 16
"""Maximum characters of all values of a guest: a host may run a thousand guests."""

CUT = ("…", "")
"""Marks the end of a shortened list."""

_TAME = re.compile(r"[\w.:+@-]{0,64}", re.ASCII)
_SECRET = re.compile(r"secret|passw|token|key|osk", re.IGNORECASE)

_DEVICE = re.compile(
    "addr|ats|aw-bits|bus|caching-mode|chardev|chassis|disable-legacy|disable-modern|"
    "drive|event_idx|host_mtu|id|index|indirect_desc|intr|intremap|iobase|ioeventfd|iommu_platform|"
    "iothread|lost_tick_policy|modern-pio-notify|mq|mrg_rxbuf|multifunction|netdev|nr|"
    "num-queues|num_queues|packed|page-per-vq|port|queue-size|rx_queue_size|tx_queue_size|"
    "vectors|vhost"
)
_DRIVE = re.compile("if|format|media|cache|aio|index|id|bus|unit")
_NETDEV = re.compile("model|vhost")


def qemu_options(pid: int, root: Path = Path("/")) -> Options:
    """Return (option without its dashes, value) in order; the text is not trusted."""
    pairs = list(_pairs(list(command_line(pid, root)[1:])))
    cut = [(name, _cut(value)) for name, value in pairs[:MOST]]
    lengths = accumulate(len(value) for _, value in cut)
    kept = [pair for pair, until in zip(cut, lengths, strict=True) if until <= MOST_CHARACTERS]
    return tuple(kept + [CUT] * (len(pairs) > len(kept)))


def _cut(value: str) -> str:
    return value if len(value) <= LONGEST else f"{value[: LONGEST - 1]}…"


def _pairs(arguments: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the options that are kept, with the kept parts of their values."""
    index = 0
    while index < len(arguments):
        name = _name(arguments[index])
        index += 1
        if name in _FLAGS:
            yield name, ""
        elif name and index < len(arguments) and (name in _VALUES or not _name(arguments[index])):
            if name in _VALUES:
                yield _ALIASES.get(name, name), _VALUES[name](arguments[index])
            index += 1


def _name(argument: str) -> str:
    """Return the option's name; "" if it is not an option."""
    if not argument.startswith("-"):
        return ""
    return argument[1:].removeprefix("-")


def _any(value: str) -> str:
    """Keep all properties."""
    return ",".join(_tame(value))


def _global(value: str) -> str:
    """Keep all or nothing: a property's value may be separated from its name."""
    return "" if _SECRET.search(value) else _any(value)


def _device(value: str) -> str:
    """Keep the driver and the properties of its operation."""
    parts = list(_tame(_flat(value)))
    return ",".join(part for part in parts if "=" not in part or _has(part, _DEVICE))


def _drive(value: str) -> str:
    return ",".join(part for part in _tame(value) if _has(part, _DRIVE))


def _netdev(value: str) -> str:
    """Keep the type, the model, and whether the host's kernel serves it."""
    parts = list(_tame(_flat(value)))
    return ",".join(parts[:1] + [part for part in parts[1:] if _has(part, _NETDEV)])


def _type(value: str) -> str:
    """Keep the kind of character device: `stdio`, `tcp`, `chardev`."""
    word = value.partition(":")[0].partition(",")[0]
    return word if _TAME.fullmatch(word) else ""


def _tame(value: str) -> Iterator[str]:
    """Yield the properties that are plain words and numbers and hold no secret."""
    for part in value.replace(",,", "\0").split(","):
        key, equals, text = part.partition("=")
        if _TAME.fullmatch(key) and _TAME.fullmatch(text) and not (equals and _SECRET.search(key)):
            yield part


def _has(part: str, keys: re.Pattern[str]) -> bool:
    return bool(keys.fullmatch(part.partition("=")[0]))


def _flat(value: str) -> str:
    """Turn libvirt's `{"driver":"e1000","id":"net0"}` into `e1000,id=net0`; also `driver=`."""
    if not value.startswith("{"):
        return value.removeprefix("driver=").removeprefix("type=")
    try:
        properties = json.loads(value)
    except (ValueError, RecursionError):
        return ""
    first = [str(properties.pop(key)) for key in ("driver", "type") if key in properties][:1]
    return ",".join(first + [f"{key}={_text(item)}" for key, item in properties.items()])


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


_FLAGS = frozenset({"enable-kvm", "no-hpet", "no-acpi", "nodefaults", "no-kvm-pit-reinjection"})
_ALIASES = {"M": "machine"}
_VALUES: dict[str, Callable[[str], str]] = {
    **dict.fromkeys(("machine", "M", "cpu", "accel", "smp", "m", "overcommit", "rtc"), _any),
    **dict.fromkeys(("vga", "watchdog"), _type),
    "global": _global,
    "device": _device,
    "drive": _drive,
    "netdev": _netdev,
    "nic": _netdev,
    "net": _netdev,
    "serial": _type,
}
