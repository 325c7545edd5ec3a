"""Facts about this host that affect its guests' exits."""

import re
from pathlib import Path

from bpfexit.model.host_facts import HostFacts

_MODEL = re.compile(r"^model name\s*:\s*(.*\S)", re.MULTILINE)
_FLAGS = re.compile(r"^flags\s*:(.*)", re.MULTILINE)
_VMX_FLAGS = re.compile(r"^vmx flags\s*:(.*)", re.MULTILINE)
_CHOSEN = re.compile(r"\[(\w+)\]")
_SPLIT_LOCK = re.compile(r"(?:^|\s)split_lock_detect=(\w+)")
_SWAP = re.compile(r"^(Swap\w+):\s*([0-9]{1,18}) kB", re.MULTILINE | re.ASCII)
_CPU_BYTES = 16384  # enough for the first CPU; all CPUs have the same flags

_SYSCTLS = ("kernel.numa_balancing", "kernel.split_lock_mitigate")
_KSM = "sys/kernel/mm/ksm/run"
_GOVERNOR = "sys/devices/system/cpu/cpuidle/current_governor"

CPU_FLAGS = frozenset(
    ("avic", "x2avic", "vnmi", "svm", "vmx", "hypervisor", "split_lock_detect", "bus_lock_detect")
)
"""CPU flags that rules look for, of some 150."""
VMX_FLAGS = frozenset(("apicv", "vapic_reg", "vid", "posted_intr", "ple", "ipi_virt", "pml"))


def host_facts(root: Path = Path("/")) -> HostFacts:
    """Return the facts that can be read; the others stay empty, which means unknown."""
    cpuinfo = _text(root / "proc/cpuinfo")
    model = _MODEL.search(cpuinfo)
    hugepages = _CHOSEN.search(_text(root / "sys/kernel/mm/transparent_hugepage/enabled"))
    clock = root / "sys/devices/system/clocksource/clocksource0/current_clocksource"
    swap = {name: int(size) << 10 for name, size in _SWAP.findall(_text(root / "proc/meminfo"))}
    total, free = swap.get("SwapTotal"), swap.get("SwapFree")
    return HostFacts(
        cpu=model[1] if model else "",
        cpus=_number_of_cpus(_text(root / "sys/devices/system/cpu/online")),
        clocksource=_text(clock).strip(),
        hugepages=hugepages[1] if hugepages else "",
        parameters=dict(_parameters(root / "sys/module")),
        settings=_settings(root),
        flags=_flags(cpuinfo),
        swap_bytes=total,
        swap_used_bytes=None if total is None or free is None else max(0, total - free),
    )


def _settings(root: Path) -> dict[str, str]:
    """Return the settings that can be read, by name."""
    settings = {
        name: _text(root / "proc/sys" / name.replace(".", "/")).strip() for name in _SYSCTLS
    }
    governor = _text(root / f"{_GOVERNOR}_ro") or _text(root / _GOVERNOR)
    settings["cpuidle.governor"] = governor.strip()
    settings["ksm.run"] = _text(root / _KSM).strip()
    chosen = _SPLIT_LOCK.search(_text(root / "proc/cmdline"))
    settings["split_lock_detect"] = chosen[1] if chosen else ""
    return {name: value for name, value in settings.items() if value}


def _flags(cpuinfo: str) -> tuple[str, ...] | None:
    """Return the CPU flags that matter here, in order; None if the kernel lists no flags."""
    flags, vmx = _FLAGS.search(cpuinfo), _VMX_FLAGS.search(cpuinfo)
    if flags is None:
        return None
    own = CPU_FLAGS.intersection(flags[1].split())
    of_vmx = VMX_FLAGS.intersection(vmx[1].split()) if vmx else frozenset()
    return tuple(sorted((*own, *(f"vmx:{name}" for name in of_vmx))))


def _parameters(modules: Path) -> list[tuple[str, str]]:
    """Return the parameters of the KVM modules that may be read, as `module.parameter`."""
    files = sorted(modules.glob("kvm*/parameters/*"))
    return [(f"{path.parts[-3]}.{path.name}", _text(path).strip()) for path in files]


def _number_of_cpus(ranges: str) -> int:
    """Return the number of CPUs in a list such as `0-3,8`; 0 for any other text."""
    try:
        ends = [
            [int(end) for end in cpu_range.split("-")] for cpu_range in ranges.strip().split(",")
        ]
    except ValueError:
        return 0
    return sum(end[-1] - end[0] + 1 for end in ends)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_CPU_BYTES).decode(errors="replace")
    except OSError:
        return ""
