"""What lines are called in the path above a list. Pure."""

from bpfexit.model.lines import Line
from bpfexit.model.rows import NO_VCPU
from bpfexit.model.text import clean
from bpfexit.ui.labels import reason_or_address


def title_of(line: Line, by: tuple[str, ...]) -> str:
    """Return a line's names: guest, vCPU, reason or address, as far as it has them."""
    parts = [clean(line.vm)] if line.vm is not None else []
    if line.vcpu is not None:
        parts.append(f"vCPU {line.vcpu}" if line.vcpu != NO_VCPU else f"tid {line.tid}")
    if line.reason_class is not None:
        parts.append(line.reason_class)
    if line.kind or "reason" in by:
        parts.append(reason_or_address(line).plain.strip())
    return " ".join(parts)
