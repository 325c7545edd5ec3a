"""`bpfexit.guests/2`: a guest that is running, a line of JSON. Unknown values are null."""

from bpfexit.formats.json.text import line_of
from bpfexit.model.running_guest import RunningGuest

SCHEMA = "bpfexit.guests/2"


def encode(running: RunningGuest) -> str:
    """Return the line, without its newline. A guest without a name is `pid:N`, named by null."""
    guest = running.guest
    document = {
        "schema": SCHEMA,
        "name": guest.name,
        "named_by": guest.named_by or None,
        "pid": guest.pid,
        "vmm": guest.vmm or None,
        "vcpus": running.vcpus,
        "memory_bytes": running.memory_bytes,
        "resident_bytes": running.resident_bytes,
        "running_s": running.running_s,
        "uuid": running.uuid,
    }
    return line_of(document)
