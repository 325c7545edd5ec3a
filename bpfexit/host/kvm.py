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
    parameter = root / "sys/module/kvm_intel/parameters/unrestricted_guest"
    try:
        return parameter.read_text().strip() in ("N", "0")
    except OSError:
        return False
