"""On which NUMA nodes the memory of a guest lies.

`/proc/PID/numa_maps` walks all page tables of a process, so its cgroup is asked, which counts
the pages anyway. It is the guest's alone where libvirt or systemd gave it one of its own.
"""

import os
import re
from pathlib import Path

from bpfexit.host.cgroups import Cgroups, Group, text

_NODES = re.compile(r"N([0-9]{1,4})=([0-9]{1,18})", re.ASCII)
_V1_LINE, _V2_LINES = ("total=",), ("anon ", "file ")


def has_nodes(root: Path = Path("/")) -> bool:
    """Return whether the host has more than one NUMA node."""
    return text(root / "sys/devices/system/node/online").strip() not in ("", "0")


def bytes_by_node(pid: int, root: Path, cgroups: Cgroups) -> tuple[tuple[int, int], ...]:
    """Return (node, bytes) of the memory in the process's own cgroup; empty if not known.

    Pages of hugetlb are not in it.
    """
    groups = cgroups.of(root / "proc" / str(pid), "memory") or ()
    for group in groups:
        numa = text(group.folder / "memory.numa_stat")
        if numa:
            is_own = text(group.folder / "cgroup.procs").split() == [str(pid)]
            return _nodes(group, numa) if is_own else ()
    return ()


def _nodes(group: Group, numa: str) -> tuple[tuple[int, int], ...]:
    """Add up the nodes: version 2 has bytes by kind of memory, version 1 pages in all."""
    wanted = _V2_LINES if group.version == 2 else _V1_LINE
    size = 1 if group.version == 2 else os.sysconf("SC_PAGE_SIZE")
    nodes: dict[int, int] = {}
    for line in numa.splitlines():
        for node, number in _NODES.findall(line) if line.startswith(wanted) else ():
            nodes[int(node)] = nodes.get(int(node), 0) + int(number) * size
    return tuple(sorted(nodes.items()))
