"""Facts about the host of a guest, for advice on both."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class HostFacts:
    """The host's settings; an empty value, 0 or None means unknown.

    `parameters` are those of the KVM modules, by `module.parameter`, as the kernel writes them
    (`kvm_amd.avic`: `N`). `hugepages` is `always`, `madvise` or `never`. `settings` are sysctls by
    name, `cpuidle.governor`, `ksm.run`, and `split_lock_detect` of the kernel's command line.
    `flags` are the CPU flags that matter here; those of VMX begin with `vmx:`. `swap_bytes` is the
    size of all swap space, `swap_used_bytes` its used part.
    """

    cpu: str = ""  # model name
    cpus: int = 0  # online
    clocksource: str = ""
    hugepages: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] | None = None
    swap_bytes: int | None = None
    swap_used_bytes: int | None = None

    def has_flag(self, name: str) -> bool | None:
        """Return whether the CPU has a flag; None if its flags are unknown."""
        return None if self.flags is None else name in self.flags

    def number(self, parameter: str) -> int | None:
        """Return a module parameter that is a whole number; None for any other text."""
        text = self.parameters.get(parameter, "")
        return int(text) if text.isascii() and text.isdecimal() else None
