"""What a tracepoint view declares."""

from collections.abc import Callable
from dataclasses import dataclass

from bpfexit.events.kind import Kind
from bpfexit.names.ranges import Ranges


@dataclass(frozen=True)
class Tracepoint:
    """An event of the group `kvm`, and the fields of its record that the program reads.

    They are read from the record where the event is attached as a classic tracepoint, and
    from the arguments where it is attached raw. `a|b` is a field that some kernels call b.
    """

    event: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class View:
    """One kind of target: the events that carry it, and the names that targets usually have.

    `bpf_programs/events/KIND.c`, with the kind's name, has a program for each event. A
    guest's own memory map knows the names better than `ranges`; `is_platform` tells that
    they are those of a usual PC, so a guess where a guest was not asked. A view that is not
    `is_default` is attached only when `--by` asks for it, and costs nothing otherwise: its events
    are classic tracepoints, whose records are portable, and what they note stands in place of
    what was noted of the exit before. One that `yields` gives way to an access that follows.

    `from_exit` are fields of the record of `kvm_exit` that the view reads there, in
    `backends/exit_record.h`. `needs_exits`: it has no meaning on a back end without `kvm_exit`.
    `file` is the name of the file with its programs, if that is not its kind's.
    `describe` names what `ranges` cannot; `help` is a line for the documentation.
    """

    kind: Kind
    tracepoints: tuple[Tracepoint, ...]
    ranges: Ranges = ()
    is_platform: bool = True
    is_default: bool = True
    yields: bool = False
    from_exit: tuple[str, ...] = ()
    needs_exits: bool = False
    describe: Callable[[int], str | None] | None = None
    help: str = ""
    file: str = ""

    @property
    def events(self) -> tuple[str, ...]:
        """The names of its events."""
        return tuple(point.event for point in self.tracepoints)

    @property
    def source(self) -> str:
        """The file with its programs, in `bpf_programs`, if it has tracepoints."""
        return f"events/{self.file or self.kind.name}.c"
