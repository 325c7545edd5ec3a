"""What a tracepoint view declares."""

from dataclasses import dataclass

from bpfexit.events.kind import Kind
from bpfexit.names.ranges import Ranges


@dataclass(frozen=True)
class Tracepoint:
    """An event of the group `kvm`, and the fields of its record that the program reads.

    They are read from the record where the event is attached as a classic tracepoint, and
    from the arguments where it is attached raw.
    """

    event: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class View:
    """One kind of target: the events that carry it, and the names that targets usually have.

    `bpf_programs/events/KIND.c`, with the kind's name, has a program for each event. A
    guest's own memory map knows the names better than `ranges`; `is_platform` tells that
    they are those of a usual PC, so a guess where a guest was not asked. A view that is not
    `is_default` is attached only when `--by` asks for it, and costs nothing otherwise.
    """

    kind: Kind
    tracepoints: tuple[Tracepoint, ...]
    ranges: Ranges = ()
    is_platform: bool = True
    is_default: bool = True

    @property
    def events(self) -> tuple[str, ...]:
        """The names of its events."""
        return tuple(point.event for point in self.tracepoints)

    @property
    def source(self) -> str:
        """The file with its programs, in `bpf_programs`."""
        return f"events/{self.kind.name}.c"
