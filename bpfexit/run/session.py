"""Opening the live kernel or a recording, with notes on stderr."""

from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import click

from bpfexit.guests import guests
from bpfexit.guests.guests import Guests
from bpfexit.guests.maps.published import Maps
from bpfexit.guests.maps.qmp_socket import NO_MAP_SOURCES, MapSources
from bpfexit.host import preflight
from bpfexit.model.filter import Filter
from bpfexit.model.losses import LOSSES, NOT_COUNTED, Lost
from bpfexit.model.slow import Threshold
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.snapshot_sum import SnapshotSum
from bpfexit.model.text import clean
from bpfexit.recording.replay import Replay
from bpfexit.recording.total import total
from bpfexit.run.loop import Run, intervals
from bpfexit.run.signals import Interrupts, ending_at_once
from bpfexit.run.source import Source
from bpfexit.tracer.source import MAX_ROWS, KernelSource

max_rows_option = click.option(
    "--max-rows",
    type=click.IntRange(min=1, max=1 << 22),
    default=MAX_ROWS,
    show_default=True,
    help="Maximum number of rows (vCPU, reason, access and address) in the kernel.",
)


def live_source(
    wanted: Filter,
    max_rows: int = MAX_ROWS,
    threshold: Threshold | None = None,
    maps: MapSources = NO_MAP_SOURCES,
    attached: Callable[[], object] = lambda: None,
) -> KernelSource:
    """Attach to this host's KVM, then call `attached`.

    Raises `BpfexitError` if that is impossible.
    """
    with ending_at_once():
        ready = preflight.ready()
        for note in [*ready.notes, *guests.warnings(wanted.pids)]:
            tell(note)
        sources = _memory_maps(wanted, maps) if maps else None
        known = Guests(sources, running=partial(_running, wanted))
        try:
            source = KernelSource(
                ready.backend,
                ready.tracefs,
                wanted,
                known,
                max_rows,
                threshold=threshold,
                attached=attached,
            )
        except BaseException:
            known.close()
            raise
    tell(f"counting on {ready.backend.module}; Ctrl-C ends")
    return source


def _running(wanted: Filter) -> list[int]:
    """Return the processes whose guests have a line though they may not exit."""
    if wanted.vcpus or wanted.tids:
        return []
    return guests.running(pids=wanted.pids)


def _memory_maps(wanted: Filter, sources: MapSources) -> Maps:
    """Begin to read the memory maps of the guests that are running."""
    from bpfexit.guests.maps.memory_maps import MemoryMaps  # noqa: PLC0415 - late: asyncio is slow to load

    running = guests.living_guests(guests.candidates())
    watched = {key: running[key] for key in running if not wanted.pids or key.pid in wanted.pids}
    others = {key.pid for key in running.keys() - watched.keys()}
    return MemoryMaps(sources, tell, watched, others)


def tell(*notes: str) -> None:
    """Print notes on stderr, one per line, with escape sequences escaped."""
    for note in notes:
        click.echo(f"bpfexit: {clean(note, 4096)}", err=True)


def tell_lost(lost: Lost) -> None:
    """Report what makes counts too small, for output that has no losses."""
    for name in NOT_COUNTED:
        if number := getattr(lost, name):
            tell(f"{number} {LOSSES[name]} ({name})")


def opened(
    recording: Path | None,
    wanted: Filter,
    max_rows: int,
    threshold: Threshold | None = None,
    maps: MapSources = NO_MAP_SOURCES,
) -> Source:
    """Open a recording, or this host if `recording` is None. Raises `BpfexitError`."""
    if recording:
        return Replay(recording, wanted)
    return live_source(wanted, max_rows, threshold, maps)


def recorded(path: Path, wanted: Filter) -> Snapshot:
    """Return all of a recording as one snapshot; print what it lacks and how it is damaged."""
    recording_total = total(path, wanted)
    tell(*recording_total.notes)
    return recording_total.snapshot


def counted(
    wanted: Filter,
    run: Run,
    max_rows: int = MAX_ROWS,
    note: Callable[[Snapshot], object] | None = None,
    maps: MapSources = NO_MAP_SOURCES,
) -> Snapshot:
    """Count on this host until the run's end or Ctrl-C; return all of it as one snapshot.

    `note` is called with the snapshot of each interval.
    """
    run_sum = SnapshotSum(bounded=True)
    with Interrupts() as interrupts, closing(live_source(wanted, max_rows, maps=maps)) as source:
        for snapshot in intervals(source, run, interrupts):
            run_sum.add(snapshot)
            if note:
                note(snapshot)
    return run_sum.sum()
