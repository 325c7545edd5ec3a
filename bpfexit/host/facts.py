"""What is known of this host that bears on its guests' exits."""

import re
from pathlib import Path

from bpfexit.model.host_facts import HostFacts

_MODEL = re.compile(r"^model name\s*:\s*(.*\S)", re.MULTILINE)
_CHOSEN = re.compile(r"\[(\w+)\]")
_CPU_BYTES = 4096  # enough for the first CPU; each of a thousand says the same


def host_facts(root: Path = Path("/")) -> HostFacts:
    """Read what can be read; the rest stays empty."""
    model = _MODEL.search(_text(root / "proc/cpuinfo"))
    hugepages = _CHOSEN.search(_text(root / "sys/kernel/mm/transparent_hugepage/enabled"))
    clock = root / "sys/devices/system/clocksource/clocksource0/current_clocksource"
    return HostFacts(
        cpu=model[1] if model else "",
        cpus=_number_of_cpus(_text(root / "sys/devices/system/cpu/online")),
        clocksource=_text(clock).strip(),
        hugepages=hugepages[1] if hugepages else "",
        parameters=dict(_parameters(root / "sys/module")),
    )


def _parameters(modules: Path) -> list[tuple[str, str]]:
    """Return what may be read: some parameters are for writing alone."""
    found = sorted(modules.glob("kvm*/parameters/*"))
    return [(f"{path.parts[-3]}.{path.name}", _text(path).strip()) for path in found]


def _number_of_cpus(ranges: str) -> int:
    """Add up the kernel's list of CPUs, `0-3,8`; 0 for what is none."""
    try:
        ends = [[int(end) for end in each.split("-")] for each in ranges.strip().split(",")]
    except ValueError:
        return 0
    return sum(each[-1] - each[0] + 1 for each in ends)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_CPU_BYTES).decode(errors="replace")
    except OSError:
        return ""
