"""What this process may do: capabilities, namespaces, locked memory."""

import os
import resource
from pathlib import Path

from bpfexit.host.capabilities import CAPABILITIES
from bpfexit.host.check import Check, Status

_CAP_SYS_ADMIN = CAPABILITIES["CAP_SYS_ADMIN"]
_CAP_SYS_RESOURCE = CAPABILITIES["CAP_SYS_RESOURCE"]
# New in Linux 5.8; before, CAP_SYS_ADMIN stood for both, and still does.
_NEEDED = {name: CAPABILITIES[name] for name in ("CAP_PERFMON", "CAP_BPF")}

_OPTIONAL = (
    (
        "CAP_DAC_READ_SEARCH",
        (CAPABILITIES["CAP_DAC_READ_SEARCH"], CAPABILITIES["CAP_DAC_OVERRIDE"]),
        "tracefs cannot be read if only root may, which is the default",
    ),
    (
        "CAP_SYS_PTRACE",
        (CAPABILITIES["CAP_SYS_PTRACE"],),
        "whether another user's process runs a guest is unknown until it takes exits, "
        "and an exec in it goes unnoticed",
    ),
    (
        "CAP_SYS_ADMIN",
        (_CAP_SYS_ADMIN,),
        "tracefs cannot be mounted and the cost of the BPF programs cannot be measured",
    ),
)
"""Capability, its bits, of which one is enough, and the cost of its absence."""

_SMALLEST = (
    "run bpfexit as root, or with CAP_BPF (maps and programs), CAP_PERFMON (tracepoints) "
    "and CAP_DAC_READ_SEARCH (tracefs)"
)

# The inode numbers of the first namespaces are fixed: linux/proc_ns.h.
_FIRST_USER_NAMESPACE = "user:[4026531837]"
_FIRST_PID_NAMESPACE = "pid:[4026531836]"

_OPEN_FILES = 64
"""Some 40 are open at once: maps, programs, attachments; --qmp needs the rest."""

_LOCKED_BYTES = 64 << 20
"""Several times what the maps take with the default number of rows."""


def open_files() -> Check:
    """Check the limit on open files."""
    name = "open files"
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY or limit >= _OPEN_FILES:
        return Check(name, Status.OK, "as many as needed")
    return Check(
        name,
        Status.FAIL,
        f"this process may open {limit} files, and bpfexit needs up to {_OPEN_FILES}",
        f"raise the limit with `ulimit -n {_OPEN_FILES}`, or LimitNOFILE= of the service",
    )


def capabilities(root: Path = Path("/")) -> Check:
    """Check for the capabilities that loading takes: CAP_BPF, and CAP_PERFMON for tracing."""
    name = "capabilities"
    if _namespace(root, "user") not in ("", _FIRST_USER_NAMESPACE):
        return Check(
            name,
            Status.FAIL,
            "this process is in a user namespace, where no capability counts for BPF",
            "run bpfexit as root of the host, not in a rootless container",
        )
    held = _effective(root)
    if held >> _CAP_SYS_ADMIN & 1:
        return Check(name, Status.OK, "CAP_SYS_ADMIN, which stands for CAP_BPF and CAP_PERFMON")
    missing = " and ".join(sorted(cap for cap, bit in _NEEDED.items() if not held >> bit & 1))
    if not missing:
        return Check(name, Status.OK, "CAP_BPF and CAP_PERFMON")
    if _uid(root) == 0:
        fact = f"this process is root, but lacks {missing}"
        remedy = "add them to its container or service, as with `--cap-add BPF --cap-add PERFMON`"
        return Check(name, Status.FAIL, fact, remedy)
    return Check(name, Status.FAIL, f"this process lacks {missing}", _SMALLEST)


def optional_capabilities(root: Path = Path("/")) -> list[Check]:
    """Check for the optional capabilities, and report what is lost without each."""
    held = _effective(root)
    return [
        Check(name, Status.OK, "held")
        if any(held >> bit & 1 for bit in bits)
        else Check(name, Status.WARN, f"missing, so {cost}", f"run bpfexit as root, or add {name}")
        for name, bits, cost in _OPTIONAL
    ]


def process_ids(root: Path = Path("/")) -> Check:
    """Check that PIDs here are the kernel's, because BPF reports the kernel's."""
    name = "process ids"
    if _namespace(root, "pid") in ("", _FIRST_PID_NAMESPACE):
        return Check(name, Status.OK, "the host's")
    return Check(
        name,
        Status.WARN,
        "this process is in a PID namespace, and its IDs differ from BPF's, so names may be wrong",
        "run bpfexit on the host, or in a container with the host's, as with `--pid host`",
    )


def locked_memory(root: Path = Path("/")) -> Check:
    """Check the limit to which Linux before 5.11 charges BPF maps; the tracer may raise it."""
    name = "locked memory"
    limit = _locked_limit(root)
    if limit is None or limit >= _LOCKED_BYTES or _effective(root) >> _CAP_SYS_RESOURCE & 1:
        return Check(name, Status.OK, "as much as BPF maps may need")
    return Check(
        name,
        Status.WARN,
        f"this process may lock {limit >> 10} KiB, too little for BPF maps before Linux 5.11",
        "raise it with `ulimit -l unlimited`, or LimitMEMLOCK= of the service",
    )


def _namespace(root: Path, kind: str) -> str:
    """Return the name of a namespace, such as `pid:[4026531836]`; "" if it cannot be read."""
    try:
        return os.readlink(root / "proc/self/ns" / kind)
    except OSError:
        return ""


def _effective(root: Path) -> int:
    return int(_own_status(root).get("CapEff", "0"), 16)


def _uid(root: Path) -> int:
    """Return the effective user id: the second of the four that the kernel lists."""
    return int(_own_status(root).get("Uid", "0 0 0 0").split()[1])


def _own_status(root: Path) -> dict[str, str]:
    try:
        lines = (root / "proc/self/status").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in lines)
    return {key: value.strip() for key, _, value in pairs}


def _locked_limit(root: Path) -> int | None:
    """Return the soft limit in bytes; None without a limit."""
    try:
        text = (root / "proc/self/limits").read_text()
    except OSError:
        return None
    for line in text.splitlines():
        if line.startswith("Max locked memory"):
            soft = line.split()[3]
            return None if soft == "unlimited" else int(soft)
    return None
