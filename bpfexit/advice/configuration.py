"""What a guest's QEMU command line says of it, read as QEMU reads it."""

from dataclasses import dataclass

from bpfexit.model.guest import Guest

_DEVICES = ("device", "drive", "netdev", "nic", "net")
_ALIASES = {"avic": ("hv-apicv",)}
_OFF = ("off", "no", "false", "n", "0")


@dataclass(frozen=True)
class Configuration:
    """Questions to a guest's options. None: not known, since the command line is not."""

    guest: Guest

    @property
    def is_known(self) -> bool:
        """Whether there is a command line to ask."""
        return bool(self.guest.options)

    def hyperv(self, name: str) -> bool | None:
        """Say whether a Hyper-V enlightenment is on, by its name without `hv-`.

        `hv-passthrough` turns on all that the host has, whatever else is said.
        """
        names = ("hv-passthrough", f"hv-{name}", *_ALIASES.get(name, ()))
        return any(map(self.cpu_flag, names)) if self.is_known else None

    def cpu_flag(self, name: str) -> bool | None:
        """Say whether `-cpu` turns a flag on; False, too, where it does not speak of it."""
        return self.cpu_says(name) or False if self.is_known else None

    def cpu_says(self, name: str) -> bool | None:
        """Return what `-cpu` says of a flag; None where it does not speak of it."""
        said = None
        for text in self.values("cpu")[-1:]:
            for part in text.split(",")[1:]:
                flag, value = _flag(part)
                if flag == name:
                    said = value
        return said

    @property
    def hides_hypervisor(self) -> bool:
        """Whether the guest cannot see that it has a hypervisor: no enlightenment is used then."""
        return self.cpu_says("hypervisor") is False

    @property
    def hides_kvm(self) -> bool:
        """Whether Linux guests cannot see KVM: no kvm-clock, no paravirtual spinlocks."""
        return self.hides_hypervisor or self.cpu_says("kvm") is False

    @property
    def has_hyperv(self) -> bool:
        """Whether any Hyper-V enlightenment is on: the guest is meant to be Windows."""
        flags = {_flag(part) for text in self.values("cpu")[-1:] for part in text.split(",")[1:]}
        return any(name.startswith("hv-") and value for name, value in flags)

    def global_property(self, name: str) -> str | None:
        """Return what `-global` sets a property, `driver.property`, to; None where it does not."""
        said = [value.partition("=") for value in self.values("global")]
        found = [value for key, _, value in said if key == name]
        return found[-1] if found else None

    def has_virtio(self) -> bool | None:
        """Say whether the guest has a virtio device; None where no device is known."""
        if not any(name in _DEVICES for name, _ in self.guest.options):
            return None
        words = (value for name, value in self.guest.options if name in _DEVICES)
        return any("virtio" in value or value.startswith("vhost") for value in words)

    def machine_property(self, name: str) -> str | None:
        """Return a property of `-machine` as it is written; None where it is not."""
        said = None
        for text in self.values("machine"):
            for part in text.split(","):
                key, equals, value = part.partition("=")
                if equals and key.replace("_", "-") == name:
                    said = value
        return said

    def has(self, option: str) -> bool:
        """Say whether an option is there at all."""
        return any(name == option for name, _ in self.guest.options)

    def devices(self, *prefixes: str) -> tuple[str, ...]:
        """Return the `-device` values whose driver begins so."""
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
    """Read a module parameter that is on or off; None where it is neither, or not known."""
    return {"Y": True, "1": True, "N": False, "0": False}.get(text or "")
