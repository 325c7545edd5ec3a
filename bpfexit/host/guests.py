"""Names of guests, from what their processes say of themselves."""

from pathlib import Path


def vm_name(pid: int, root: Path = Path("/")) -> str:
    """Return QEMU's `-name`, else `pid:N`. The text is the guest owner's: not to be trusted."""
    try:
        command = (root / "proc" / str(pid) / "cmdline").read_bytes()
    except OSError:
        return f"pid:{pid}"
    arguments = command.decode(errors="replace").split("\0")
    for option, value in zip(arguments, arguments[1:]):
        if option in ("-name", "--name") and value:
            return _qemu_name(value) or f"pid:{pid}"
    return f"pid:{pid}"


def _qemu_name(value: str) -> str:
    """Read QEMU's `[guest=]NAME[,option=...]`, in which a comma is written twice."""
    parts = value.replace(",,", "\0").split(",")
    for part in parts:
        if part.startswith("guest="):
            return part.removeprefix("guest=").replace("\0", ",")
    return parts[0].replace("\0", ",") if "=" not in parts[0] else ""
