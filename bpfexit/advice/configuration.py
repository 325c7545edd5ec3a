"""A guest's QEMU command line, read as QEMU reads it."""

from dataclasses import dataclass

from bpfexit.model.guest import Guest

_DEVICES = ("device", "drive", "netdev", "nic", "net")
_ALIASES = {"avic": ("hv-apicv",)}
_OFF = ("off", "no", "false", "n", "0")


@dataclass(frozen=True)
class Configuration:
    """Answers questions about a guest's options; None if its command line is unknown."""

    guest: Guest

    @property
    def is_known(self) -> bool:
        """Whether the command line is known."""
        return bool(self.guest.options)

    def hyperv(self, name: str) -> bool | None:
        """Say whether a Hyper-V enlightenment is on, by its name without `hv-`.

        `hv-passthrough` turns on all that the host has, whatever the other flags are.
        """
        names = ("hv-passthrough", f"hv-{name}", *_ALIASES.get(name, ()))
        return any(map(self.cpu_flag, names)) if self.is_known else None

    def cpu_flag(self, name: str) -> bool | None:
        """Return whether `-cpu` turns a flag on; False if it does not mention the flag."""
        return self.cpu_says(name) or False if self.is_known else None

    def cpu_says(self, name: str) -> bool | None:
        """Return the value of a flag in `-cpu`; None if it is not mentioned."""
        is_on = None
        for text in self.values("cpu")[-1:]:
            for part in text.split(",")[1:]:
                flag, value = _flag(part)
                if flag == name:
                    is_on = value
        return is_on

    @property
    def hides_hypervisor(self) -> bool:
        """Whether the guest cannot see its hypervisor, and so uses no enlightenment."""
        return self.cpu_says("hypervisor") is False

    @property
    def hides_kvm(self) -> bool:
        """Whether Linux guests cannot see KVM: no kvm-clock, no paravirtual spinlocks."""
        return self.hides_hypervisor or self.cpu_says("kvm") is False

    @property
    def has_hyperv(self) -> bool:
        """Whether any Hyper-V enlightenment is on, which means a Windows guest."""
        flags = {_flag(part) for text in self.values("cpu")[-1:] for part in text.split(",")[1:]}
        return any(name.startswith("hv-") and value for name, value in flags)

    def global_property(self, name: str) -> str | None:
        """Return the value that `-global` gives to `driver.property`; None if it does not."""
        pairs = [value.partition("=") for value in self.values("global")]
        set_values = [value for key, _, value in pairs if key == name]
        return set_values[-1] if set_values else None

    def has_virtio(self) -> bool | None:
        """Return whether the guest has a virtio device; None if no device is known."""
        if not any(name in _DEVICES for name, _ in self.guest.options):
            return None
        words = (value for name, value in self.guest.options if name in _DEVICES)
        return any("virtio" in value or value.startswith("vhost") for value in words)

    def machine_property(self, name: str) -> str | None:
        """Return a property of `-machine` as written; None if it is not given."""
        property_value = None
        for text in self.values("machine"):
            for part in text.split(","):
                key, equals, value = part.partition("=")
                if equals and key.replace("_", "-") == name:
                    property_value = value
        return property_value

    def has(self, option: str) -> bool:
        """Return whether an option is given."""
        return any(name == option for name, _ in self.guest.options)

    def devices(self, *prefixes: str) -> tuple[str, ...]:
        """Return the values of `-device` whose driver begins with this text."""
        return tuple(value for value in self.values("device") if value.startswith(prefixes))

    def values(self, option: str) -> list[str]:
        """Return the values of an option, in order."""
        return [value for name, value in self.guest.options if name == option]


def _flag(part: str) -> tuple[str, bool]:
    """Read `hv-time=on`, `hv_time`, `+hv-time` or `-hv-time`."""
    if part[:1] in ("+", "-"):
        return part[1:].replace("_", "-"), part[0] == "+"
    name, _, value = part.partition("=")
    return name.replace("_", "-"), value.lower() not in _OFF


def setting(text: str | None) -> bool | None:
    """Return whether a module parameter is on; None if it is unknown or has another value."""
    return {"Y": True, "1": True, "N": False, "0": False}.get(text or "")
