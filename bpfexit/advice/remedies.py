"""Changes of the host and of the guest's system, with what they take and what keeps them."""

from bpfexit.advice.finding import Change, Takes, Where


def sysctl(name: str, value: str, since: str = "") -> Change:
    """Return a setting of `sysctl`."""
    keep = f"{name} = {value} in /etc/sysctl.d/90-kvm.conf"
    return Change(Where.HOST, f"sysctl -w {name}={value}", Takes.AT_ONCE, keep, since)


def parameter(name: str, value: str, since: str = "", takes: Takes = Takes.AT_ONCE) -> Change:
    """Return a module parameter, `module.parameter`, that may be written while guests run."""
    module, _, option = name.partition(".")
    path = f"/sys/module/{module}/parameters/{option}"
    text = f"echo {value} > {path}"
    return Change(Where.HOST, text, takes, _modprobe(name, value), since)


def reload(name: str, value: str, needs: str = "", since: str = "") -> Change:
    """Return a module parameter that is read when the module is loaded."""
    module, _, option = name.partition(".")
    text = f"modprobe -r {module} && modprobe {module} {option}={value}"
    text = f"{text} ({needs})" if needs else text
    return Change(Where.HOST, text, Takes.MODULE, _modprobe(name, value), since)


def reload_kvm(vendor: str, option: str, value: str, needs: str, since: str = "") -> Change:
    """Return a parameter of `kvm`, which a vendor's module keeps loaded, read at its load."""
    load = f"modprobe kvm {option}={value} && modprobe {vendor}"
    text = f"modprobe -r {vendor} kvm && {load} ({needs})"
    return Change(Where.HOST, text, Takes.MODULE, _modprobe(f"kvm.{option}", value), since)


def boot(parameters: str, since: str = "") -> Change:
    """Return parameters of the host kernel's command line."""
    return Change(
        Where.HOST,
        f"{parameters} on the kernel's command line (GRUB: /etc/default/grub, then update-grub "
        "or grub2-mkconfig)",
        Takes.HOST_REBOOT,
        since=since,
    )


def guest_boot(parameters: str, since: str = "") -> Change:
    """Return what to change on a Linux guest's kernel command line."""
    return Change(Where.GUEST, f"Linux: {parameters}", Takes.GUEST_REBOOT, since=since)


def in_guest(text: str) -> Change:
    """Return what to look at or to do inside the guest."""
    return Change(Where.GUEST, text)


def on_host(text: str) -> Change:
    """Return what to look at or to do on the host."""
    return Change(Where.HOST, text)


def _modprobe(name: str, value: str) -> str:
    module, _, option = name.partition(".")
    return f"options {module} {option}={value} in /etc/modprobe.d/kvm.conf"
