"""Whether this machine lets exits be counted, and if not, what to do.

Every check reads a few small files, so that `bpfexit top` can afford all of
them before it starts. What they cannot tell, a program that does not load
will: that is for `bpfexit doctor` to try.
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
"""The first kernel whose BPF arrays can be mapped into a process: BPF_F_MMAPABLE."""
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
"""What is read from the record of `kvm_exit`; its other fields differ between kernels."""

NOT_CHECKED = "not checked, because a check above fails"
_READ_ALL = "run bpfexit as root, or add CAP_DAC_READ_SEARCH"


@dataclass(frozen=True)
class Ready:
    """What counting exits needs to know of this machine; `notes` are for the person to read."""

    backend: Backend
    tracefs: Path
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """All checks, in the order in which one builds on another, and what they found."""

    checks: tuple[Check, ...]
    backend: Backend | None
    tracefs: Path | None
    notes: tuple[str, ...]

    @property
    def failure(self) -> Check | None:
        """The first check that fails."""
        return next((check for check in self.checks if check.status is Status.FAIL), None)

    def ready(self) -> Ready:
        """Return where to attach. Raises `BpfexitError` for the first check that fails."""
        if self.failure:
            raise BpfexitError(self.failure.sentence)
        # Neither is None, for their checks have not failed.
        assert self.backend  # noqa: S101
        assert self.tracefs  # noqa: S101
        return Ready(self.backend, self.tracefs, self.notes)


def ready(root: Path = Path("/")) -> Ready:
    """Run all checks; return where to attach. Raises `BpfexitError` for the first that fails."""
    return inspect(root).ready()


def inspect(root: Path = Path("/")) -> Report:
    """Run all checks; mount tracefs when it is not mounted and this process may do so."""
    basis = (privileges.open_files(), *file_systems(root))
    if any(check.status is Status.FAIL for check in basis):
        return Report((*basis, Check("everything else", Status.WARN, NOT_CHECKED)), None, None, ())
    backend = kvm.backend(root)
    ids = privileges.process_ids(root)
    tracing, place, mounted = _mounted_tracefs(root)
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
        back_end(root),
        types(backend, root),
        tracing,
        *events(backend, place),
    )
    notes = ([tracing.fact] if mounted else []) + (
        [ids.sentence] if ids.status is not Status.OK else []
    )
    return Report(checks, backend, place, tuple(notes))


def file_systems(root: Path = Path("/")) -> tuple[Check, ...]:
    """Check for /proc and /sys: without them, nothing that is absent there is known to be so."""
    return (
        _mounted(root / "proc/self/status", "/proc", "mount -t proc proc /proc"),
        _mounted(root / "sys/kernel", "/sys", "mount -t sysfs sysfs /sys"),
    )


def _mounted(known: Path, place: str, command: str) -> Check:
    if os.access(known, os.R_OK):
        return Check(place, Status.OK, "mounted")
    fact = f"{place} is not mounted or cannot be read"
    return Check(place, Status.FAIL, fact, f"mount it as root with `{command}`")


def lockdown(root: Path = Path("/")) -> Check:
    """Check the kernel's lockdown: at `confidentiality` neither BPF nor tracefs may read it."""
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
    said = release_text(root) or "unknown"
    number = release(root)
    oldest = f"{TESTED[0]}.{TESTED[1]}"
    if number < MAPPABLE_ARRAYS:
        fact = f"the kernel {said} cannot map BPF arrays, as Linux can since 5.5"
        return Check(name, Status.FAIL, fact, f"boot Linux {oldest} or later")
    if number < TESTED:
        fact = f"the kernel {said} is older than any that bpfexit is tested with"
        return Check(name, Status.WARN, fact, f"boot Linux {oldest} or later")
    return Check(name, Status.OK, said)


def jit(root: Path = Path("/")) -> Check:
    """Check that BPF programs are compiled: interpreted, they cost the guests far more."""
    name = "BPF JIT"
    setting = "net.core.bpf_jit_enable"
    place = root / "proc/sys/net/core/bpf_jit_enable"
    match _text(place):
        case "1":
            return Check(name, Status.OK, "on")
        case "0":
            fact = "off, so every exit costs the guest several times as much"
            return Check(name, Status.WARN, fact, f"switch it on with `sysctl {setting}=1`")
        case "2":
            fact = "on, and writes every program into the kernel's log"
            return Check(name, Status.WARN, fact, f"stop that with `sysctl {setting}=1`")
    if os.path.exists(place):  # no capability opens it to another user
        return Check(name, Status.WARN, f"unknown, because only root may read {setting}")
    # The file belongs to the first network namespace alone, so containers often lack it.
    fact = f"unknown, because {setting} cannot be read"
    return Check(name, Status.WARN, fact, "look for it in the host's network namespace")


def device(root: Path = Path("/")) -> Check:
    """Check for /dev/kvm, which guests need; whoever watches them does not."""
    name = "/dev/kvm"
    place = root / "dev/kvm"
    if os.access(place, os.R_OK | os.W_OK):
        return Check(name, Status.OK, "present")
    if os.path.exists(place):
        fact = "this process may not open it and cannot start guests"
        remedy = "other users' guests are still counted; to start one, join the group kvm"
        return Check(name, Status.WARN, fact, remedy)
    fact = "missing, so this process cannot start guests"
    remedy = "other users' guests are still counted; containers need `--device /dev/kvm`"
    return Check(name, Status.WARN, fact, remedy)


def back_end(root: Path = Path("/")) -> Check:
    """Check for KVM's vendor module, without which there are no guests, and no events."""
    name = "KVM"
    backend = kvm.backend(root)
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
    """Check for the kernel's types (BTF), which tell a vCPU's number where `kvm_exit` does not."""
    name = "BTF"
    place = btf.path(root=root)
    if os.access(place, os.R_OK):
        return Check(name, Status.OK, "present")
    if backend is None or backend.has_exit_events:
        return Check(name, Status.OK, "missing, and not needed with kvm_exit")
    lacking = "cannot be read" if os.path.exists(place) else "is missing"
    return Check(
        name,
        Status.FAIL,
        f"{backend.module} needs the kernel's types (BTF), but {_shown(place, root)} {lacking}",
        "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y",
    )


def events(backend: Backend | None, place: Path | None) -> list[Check]:
    """Check for each tracepoint that the back end's programs attach to."""
    if not backend or not place:
        return [Check("KVM's events", Status.WARN, NOT_CHECKED)]
    return [_event(name, backend, place) for name in needed_events(backend)]


def needed_events(backend: Backend) -> tuple[str, ...]:
    """Return the events of the group `kvm` that are attached to, and read about."""
    if backend.has_exit_events:
        return EVENTS
    others = tuple(event for event in EVENTS if event != "kvm_entry")
    return (*others, "kvm_userspace_exit", "kvm_emulate_insn")


def _event(event: str, backend: Backend, place: Path) -> Check:
    name = f"kvm:{event}"
    try:
        text = tracefs.event_format(place, name)
    except OSError as error:
        fact = f"this process cannot read about the event {name} in {place} ({error.strerror})"
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
    """Return the check, the mount point and whether it has been mounted for this."""
    name = "tracefs"
    place = tracefs.find(root)
    if place:
        return Check(name, Status.OK, f"mounted at {_shown(place, root)}"), place, False
    if tracefs.is_hidden(root):
        fact = f"this process may not read {_shown(root / tracefs.MOUNT_POINT, root)}"
        return Check(name, Status.FAIL, fact, _READ_ALL), None, False
    try:
        place = tracefs.mount(root)
    except OSError as error:
        wanted = _shown(root / tracefs.MOUNT_POINT, root)
        fact = f"tracefs is not mounted at {wanted}, and cannot be ({error.strerror})"
        remedy = f"mount it as root with `mount -t tracefs tracefs {wanted}`"
        return Check(name, Status.FAIL, fact, remedy), None, False
    return Check(name, Status.OK, f"tracefs is now mounted at {_shown(place, root)}"), place, True


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _shown(place: Path, root: Path) -> Path:
    """Return a place below `root` as it is called there."""
    return Path("/") / place.relative_to(root)
