"""What a guest's QEMU command line says of it, read as QEMU reads it."""

from dataclasses import dataclass

from bpfexit.model.guest import Guest

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
        return self.cpu_flag("hv-passthrough") or self.cpu_flag(f"hv-{name}")

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
