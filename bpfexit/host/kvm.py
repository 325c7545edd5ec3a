"""Which KVM back end this host runs, from `/sys/module`."""

from dataclasses import dataclass
from pathlib import Path

from bpfexit.names.reasons import Isa


@dataclass(frozen=True)
class Backend:
    """A KVM vendor module, and whether it emits `kvm_exit` and `kvm_entry`."""

    module: str
    title: str
    isa: Isa

    @property
    def has_exit_events(self) -> bool:
        """Without `kvm_exit` only accesses and time in user space can be seen."""
        return self.isa is not Isa.NONE


BACKENDS = (
    Backend("kvm_intel", "Intel VMX", Isa.VMX),
    Backend("kvm_amd", "AMD SVM", Isa.SVM),
    Backend("kvm_pvm", "PVM, no hardware virtualization", Isa.NONE),
)


def backend(root: Path = Path("/")) -> Backend | None:
    """Return the back end that is loaded or built in; None when there is none."""
    modules = root / "sys/module"
    return next((each for each in BACKENDS if (modules / each.module).is_dir()), None)


def emulates_real_mode(root: Path = Path("/")) -> bool:
    """Say whether KVM emulates real mode without exits: VMX without unrestricted guests."""
    return _parameter(root, "kvm_intel", "unrestricted_guest") in ("N", "0")


def runs_sev_es(root: Path = Path("/")) -> bool:
    """Say whether guests may be SEV-ES, whose exits do not tell what they access."""
    return _parameter(root, "kvm_amd", "sev_es") in ("Y", "1")


def _parameter(root: Path, module: str, name: str) -> str:
    """Return a module's parameter; empty where it has none."""
    try:
        return (root / "sys/module" / module / "parameters" / name).read_text().strip()
    except OSError:
        return ""
