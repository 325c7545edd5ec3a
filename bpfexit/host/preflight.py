"""Whether exits can be counted on this machine, and if not, what to do.

All checks read a few small files, so `bpfexit top` runs them before it starts. `bpfexit doctor`
also loads the programs, which covers everything else.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from bpfexit.errors import BpfexitError
from bpfexit.host import btf, kvm, privileges, tracefs
from bpfexit.host.check import Check, Status
from bpfexit.host.kernel import release, release_text
from bpfexit.host.kvm import Backend

MAPPABLE_ARRAYS = (5, 5)
"""The first kernel whose BPF arrays can be mapped into a process (BPF_F_MMAPABLE)."""
TESTED = (5, 10)
"""The oldest kernel that is tested."""
MEMORY_CGROUP = (5, 11)
"""The first kernel that charges BPF maps to the memory cgroup, not to RLIMIT_MEMLOCK."""

EVENTS = (
    "kvm_exit",
    "kvm_entry",
    "kvm_pio",
    "kvm_mmio",
    "kvm_fast_mmio",
    "kvm_msr",
    "kvm_fpu",
)
EXIT_FIELDS = ("exit_reason", "isa", "vcpu_id", "guest_rip")
"""The fields of `kvm_exit` that are read; its other fields differ between kernels."""

NOT_CHECKED = "not checked, because a check above fails"
_READ_ALL = "run bpfexit as root, or add CAP_DAC_READ_SEARCH"


@dataclass(frozen=True)
class Ready:
    """What counting needs to know about this machine; `notes` are for the user."""

    backend: Backend
    tracefs: Path
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """All checks, in an order in which each builds on those before, and their results."""

    checks: tuple[Check, ...]
    backend: Backend | None
    tracefs: Path | None
    notes: tuple[str, ...]

    @property
    def failure(self) -> Check | None:
        """The first check that fails; None if none does."""
        return next((check for check in self.checks if check.status is Status.FAIL), None)

    def ready(self) -> Ready:
        """Return where to attach. Raises `BpfexitError` with the first check that fails."""
        if self.failure:
            raise BpfexitError(self.failure.sentence)
        # Neither is None, because their checks have not failed.
        assert self.backend  # noqa: S101
        assert self.tracefs  # noqa: S101
        return Ready(self.backend, self.tracefs, self.notes)


def ready(root: Path = Path("/")) -> Ready:
    """Run all checks; return where to attach. Raises `BpfexitError` with the first that fails."""
    return inspect(root).ready()


def inspect(root: Path = Path("/")) -> Report:
    """Run all checks; mount tracefs if it is not mounted and this process may do so."""
    basis = (privileges.open_files(), *file_systems(root))
    if any(check.status is Status.FAIL for check in basis):
        return Report((*basis, Check("everything else", Status.WARN, NOT_CHECKED)), None, None, ())
    backend = kvm.backend(root)
    ids = privileges.process_ids(root)
    tracing, folder, mounted = _mounted_tracefs(root)
    backend = kvm.with_events(backend, folder)
    checks = (
        *basis,
        privileges.capabilities(root),
        *privileges.optional_capabilities(root),
        ids,
        *([privileges.locked_memory(root)] if release(root) < MEMORY_CGROUP else []),
        lockdown(root),
        kernel(root),
        jit(root),
        device(root),
        back_end(backend, root),
        types(backend, root),
        tracing,
        *events(backend, folder),
    )
    notes = ([tracing.fact] if mounted else []) + (
        [ids.sentence] if ids.status is not Status.OK else []
    )
    return Report(checks, backend, folder, tuple(notes))


def file_systems(root: Path = Path("/")) -> tuple[Check, ...]:
    """Check for /proc and /sys: without them, nothing is known to be absent."""
    return (
        _mounted(root / "proc/self/status", "/proc", "mount -t proc proc /proc"),
        _mounted(root / "sys/kernel", "/sys", "mount -t sysfs sysfs /sys"),
    )


def _mounted(known: Path, mount_point: str, command: str) -> Check:
    if os.access(known, os.R_OK):
        return Check(mount_point, Status.OK, "mounted")
    fact = f"{mount_point} is not mounted or cannot be read"
    return Check(mount_point, Status.FAIL, fact, f"mount it as root with `{command}`")


def lockdown(root: Path = Path("/")) -> Check:
    """Check the kernel's lockdown: `confidentiality` keeps BPF and tracefs from reading it."""
    name = "lockdown"
    text = _text(root / "sys/kernel/security/lockdown")
    chosen = re.search(r"\[(\w+)\]", text)
    if not chosen:
        return Check(name, Status.OK, "none reported: not supported, or securityfs is not readable")
    if chosen[1] != "confidentiality":
        return Check(name, Status.OK, chosen[1])
    return Check(
        name,
        Status.FAIL,
        "the kernel is locked down for confidentiality, which forbids tracefs and BPF tracing",
        "boot with `lockdown=integrity` or without Secure Boot's lockdown",
    )


def kernel(root: Path = Path("/")) -> Check:
    """Check the kernel's release."""
    name = "kernel"
    kernel_release = release_text(root) or "unknown"
    number = release(root)
    oldest = f"{TESTED[0]}.{TESTED[1]}"
    if number < MAPPABLE_ARRAYS:
        fact = f"the kernel {kernel_release} cannot map BPF arrays, as Linux can since 5.5"
        return Check(name, Status.FAIL, fact, f"boot Linux {oldest} or later")
    if number < TESTED:
        fact = f"the kernel {kernel_release} is older than any that bpfexit is tested with"
        return Check(name, Status.WARN, fact, f"boot Linux {oldest} or later")
    return Check(name, Status.OK, kernel_release)


def jit(root: Path = Path("/")) -> Check:
    """Check that BPF programs are compiled (JIT): interpreted, they cost the guests far more."""
    name = "BPF JIT"
    setting = "net.core.bpf_jit_enable"
    path = root / "proc/sys/net/core/bpf_jit_enable"
    match _text(path):
        case "1":
            return Check(name, Status.OK, "on")
        case "0":
            fact = "off, so every exit costs the guest several times as much"
            return Check(name, Status.WARN, fact, f"switch it on with `sysctl {setting}=1`")
        case "2":
            fact = "on, and writes every program into the kernel's log"
            return Check(name, Status.WARN, fact, f"stop that with `sysctl {setting}=1`")
    if os.path.exists(path):  # it exists, and no capability opens it to another user
        return Check(name, Status.WARN, f"unknown, because only root may read {setting}")
    # Only the first network namespace has this file, so containers often lack it.
    fact = f"unknown, because {setting} cannot be read"
    return Check(name, Status.WARN, fact, "look for it in the host's network namespace")


def device(root: Path = Path("/")) -> Check:
    """Check for /dev/kvm, which guests need and bpfexit does not."""
    name = "/dev/kvm"
    path = root / "dev/kvm"
    if os.access(path, os.R_OK | os.W_OK):
        return Check(name, Status.OK, "present")
    if os.path.exists(path):
        fact = "this process may not open it and cannot start guests"
        remedy = "other users' guests are still counted; to start one, join the group kvm"
        return Check(name, Status.WARN, fact, remedy)
    fact = "missing, so this process cannot start guests"
    remedy = "other users' guests are still counted; containers need `--device /dev/kvm`"
    return Check(name, Status.WARN, fact, remedy)


def back_end(backend: Backend | None, root: Path = Path("/")) -> Check:
    """Check for KVM's vendor module: without it, there are no guests and no events."""
    name = "KVM"
    if not backend:
        loaded = (root / "sys/module/kvm").is_dir()
        fact = "KVM is loaded without a back end" if loaded else "KVM is not loaded"
        remedy = "load its back end with `modprobe kvm_intel` or `modprobe kvm_amd`"
        return Check(name, Status.FAIL, fact, remedy)
    fact = f"{backend.module} ({backend.title})"
    if backend.has_exit_events:
        return Check(name, Status.OK, fact)
    return Check(
        name,
        Status.WARN,
        f"{fact} has no kvm_exit and kvm_entry events",
        "accesses and time in user space are counted, exit reasons and latencies are not",
    )


def types(backend: Backend | None, root: Path = Path("/")) -> Check:
    """Check for the kernel's types (BTF), which give a vCPU's number if `kvm_exit` does not."""
    name = "BTF"
    path = btf.path(root=root)
    if os.access(path, os.R_OK):
        return Check(name, Status.OK, "present")
    if backend is None or backend.has_exit_events:
        return Check(name, Status.OK, "missing, and not needed with kvm_exit")
    lacking = "cannot be read" if os.path.exists(path) else "is missing"
    return Check(
        name,
        Status.FAIL,
        f"{backend.module} needs the kernel's types (BTF), but {_shown(path, root)} {lacking}",
        "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y",
    )


def events(backend: Backend | None, folder: Path | None) -> list[Check]:
    """Check for each tracepoint that the back end's programs use."""
    if not backend or not folder:
        return [Check("KVM's events", Status.WARN, NOT_CHECKED)]
    return [_event(name, backend, folder) for name in needed_events(backend)]


def needed_events(backend: Backend) -> tuple[str, ...]:
    """Return the events of the group `kvm` that programs attach to or read about."""
    if backend.has_exit_events:
        return EVENTS
    others = tuple(event for event in EVENTS if event != "kvm_entry")
    return (*others, "kvm_userspace_exit", "kvm_emulate_insn")


def _event(event: str, backend: Backend, folder: Path) -> Check:
    name = f"kvm:{event}"
    try:
        text = tracefs.event_format(folder, name)
    except OSError as error:
        fact = f"this process cannot read about the event {name} in {folder} ({error.strerror})"
        return Check(name, Status.FAIL, fact, _READ_ALL)
    if text is None:
        return _unseen_event(name)
    if event != "kvm_exit":
        return Check(name, Status.OK, "present")
    if not backend.has_exit_events:
        return Check(name, Status.OK, f"present, but never emitted by {backend.module}")
    lacking = sorted(set(EXIT_FIELDS) - set(tracefs.field_offsets(text)))
    if not lacking:
        return Check(name, Status.OK, "present")
    fact = f"this kernel's event {name} lacks {' and '.join(lacking)}"
    return Check(name, Status.FAIL, fact, "boot Linux 5.10 or later")


def _unseen_event(name: str) -> Check:
    fact = f"this kernel has no event {name}"
    remedy = "boot Linux 5.10 or later, built with CONFIG_KVM and CONFIG_EVENT_TRACING"
    return Check(name, Status.FAIL, fact, remedy)


def _mounted_tracefs(root: Path) -> tuple[Check, Path | None, bool]:
    """Return the check, the mount point or None, and whether this call has mounted it."""
    name = "tracefs"
    folder = tracefs.find(root)
    if folder:
        return Check(name, Status.OK, f"mounted at {_shown(folder, root)}"), folder, False
    if tracefs.is_hidden(root):
        fact = f"this process may not read {_shown(root / tracefs.MOUNT_POINT, root)}"
        return Check(name, Status.FAIL, fact, _READ_ALL), None, False
    try:
        folder = tracefs.mount(root)
    except OSError as error:
        wanted = _shown(root / tracefs.MOUNT_POINT, root)
        fact = f"tracefs is not mounted at {wanted}, and cannot be ({error.strerror})"
        remedy = f"mount it as root with `mount -t tracefs tracefs {wanted}`"
        return Check(name, Status.FAIL, fact, remedy), None, False
    return Check(name, Status.OK, f"tracefs is now mounted at {_shown(folder, root)}"), folder, True


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _shown(path: Path, root: Path) -> Path:
    """Return a path below `root` as it is named there."""
    return Path("/") / path.relative_to(root)
