"""The KVM back end of this host, from `/sys/module`."""

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from bpfexit.host import tracefs
from bpfexit.names.reasons import Isa, parse_format


@dataclass(frozen=True)
class Backend:
    """A KVM vendor module, its title, and whose exit reasons it has."""

    module: str
    title: str
    isa: Isa

    @property
    def has_exit_events(self) -> bool:
        """Whether it emits `kvm_exit`; otherwise only accesses and time in user space are seen."""
        return self.isa is not Isa.NONE


BACKENDS = (
    Backend("kvm_intel", "Intel VMX", Isa.VMX),
    Backend("kvm_amd", "AMD SVM", Isa.SVM),
    Backend("kvm_pvm", "PVM, no hardware virtualization", Isa.NONE),
)


def backend(root: Path = Path("/")) -> Backend | None:
    """Return the back end that is loaded or built in; None if there is none."""
    modules = root / "sys/module"
    return next((known for known in BACKENDS if (modules / known.module).is_dir()), None)


def with_events(found: Backend | None, tracefs_root: Path | None) -> Backend | None:
    """Return a back end as the format of `kvm_exit` shows it: PVM with reasons there emits it.

    Only the tree of PVM itself has them.
    """
    if found is None or tracefs_root is None or found.isa is not Isa.NONE:
        return found
    with suppress(OSError):
        text = tracefs.event_format(tracefs_root, "kvm:kvm_exit")
        if text and parse_format(text).pvm:
            return replace(found, isa=Isa.PVM)
    return found


def emulates_real_mode(root: Path = Path("/")) -> bool:
    """Return whether KVM emulates real mode without exits: VMX without unrestricted guests."""
    return _parameter(root, "kvm_intel", "unrestricted_guest") in ("N", "0")


def runs_sev_es(root: Path = Path("/")) -> bool:
    """Return whether guests may be SEV-ES, whose exits do not name their target."""
    return _parameter(root, "kvm_amd", "sev_es") in ("Y", "1")


def _parameter(root: Path, module: str, name: str) -> str:
    """Return the value of a module's parameter; "" if it cannot be read."""
    try:
        return (root / "sys/module" / module / "parameters" / name).read_text().strip()
    except OSError:
        return ""
