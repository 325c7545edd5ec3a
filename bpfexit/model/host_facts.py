"""What is known of the host that a guest runs on, for advice on both."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class HostFacts:
    """The host's settings; what is empty, or 0, is not known.

    `parameters` are those of the KVM modules, by `module.parameter`, as the kernel
    writes them (`kvm_amd.avic`: `N`). `hugepages` is the chosen one of `always`,
    `madvise` and `never`.
    """

    cpu: str = ""  # model name
    cpus: int = 0  # online
    clocksource: str = ""
    hugepages: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
