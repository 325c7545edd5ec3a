"""How Hyper-V enlightenments are turned on, with what each of them needs.

Names and needs are those of QEMU's docs/system/i386/hyperv, the XML that of libvirt's domain
format: there, `hv-time` is a timer of the clock, all others are features.
"""

from bpfexit.advice.configuration import Configuration
from bpfexit.advice.finding import Change, Where

REFERENCES = ("QEMU docs/system/i386/hyperv", "libvirt domain XML: clock/timer, features/hyperv")

_NEEDS = {
    "synic": ("vpindex",),
    "stimer": ("vpindex", "synic", "time"),
    "ipi": ("vpindex",),
}


def lacking(configuration: Configuration, *wanted: str) -> tuple[str, ...]:
    """Return those of the wanted that are not on, each after what it needs.

    Where the command line is not known, none counts as on.
    """
    needed = [name for each in wanted for name in (*_NEEDS.get(each, ()), each)]
    return tuple(name for name in dict.fromkeys(needed) if not configuration.hyperv(name))


def enabling(names: tuple[str, ...]) -> tuple[Change, ...]:
    """Return how to turn these on in libvirt and in QEMU; nothing for nothing."""
    if not names:
        return ()
    features = "".join(f"<{name} state='on'/>" for name in names if name != "time")
    xml = [f"<features><hyperv>{features}</hyperv></features>"] if features else []
    if "time" in names:
        xml.append("<clock><timer name='hypervclock' present='yes'/></clock>")
    flags = ",".join(f"hv-{name}=on" for name in names)
    return (*(Change(Where.LIBVIRT, each) for each in xml), Change(Where.QEMU, f"-cpu …,{flags}"))


def state(configuration: Configuration, *names: str) -> tuple[str, ...]:
    """Say of each enlightenment whether it is on, in one line; nothing where that is not known."""
    if not configuration.is_known:
        return ()
    words = {True: "on", False: "off"}
    said = [f"hv-{name} {words[bool(configuration.hyperv(name))]}" for name in names]
    return (", ".join(said),)
