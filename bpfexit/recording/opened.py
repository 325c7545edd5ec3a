"""A recording for other programs: `bpfexit.open_recording`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bpfexit.formats.json.recording import Header
from bpfexit.model.filter import Filter
from bpfexit.model.snapshot import Snapshot
from bpfexit.recording.reader import RecordingSource


class Recording:
    """The intervals of a recording, one `Snapshot` after another; iterate over it once.

    Of a snapshot, `rows.fields` is a numpy structured array, dtype `model.rows.FIELDS`, one
    element for each vCPU, reason, kind, access, size and address:

    - `vm` and `reason` are indices into `snapshot.vms` and `snapshot.reasons`; a `reason` of -1
      is an access without an exit, or one whose exit is unknown.
    - `pid`, `tid` and `vcpu` (-1 if unknown) identify the vCPU.
    - `isa`, `kind` and `access` are numbers of `names.reasons.Isa`, `events.registry.KINDS`
      and `events.access.Access`; `size` is in bytes; `address` is a port, GPA or MSR.
    - `count` exits took `total_ns` ns, the longest of them `max_ns`; `timed` of them have a
      latency. `user_count` of them went to user space, for `user_ns` ns.
    - `wait_ns` of `total_ns`, and `user_wait_ns` of `user_ns`, the thread waited for a CPU;
      both are 0 without `snapshot.origin.has_waiting`. `blocked_ns` and `user_blocked_ns` it was
      blocked; both are 0 without `snapshot.origin.has_blocked`. `poll_ns` KVM polled for the end
      of halts; 0 without `halt` in `snapshot.origin.views`.
    - `class` is 0: `model.classes.with_classes` fills it.

    `rows.hist` has their latency histograms, `vcpus` the ns in the guest for each vCPU,
    `start` is unix time and `duration_s` the length, in s; `lost` has the losses.
    """

    def __init__(self, path: Path) -> None:
        """Open it. Raises `BpfexitError` if it is not a recording."""
        self._source = RecordingSource(path, Filter())

    @property
    def header(self) -> Header | None:
        """The last header read, with host and time; None for files of `top -j`."""
        return self._source.header

    def __iter__(self) -> Iterator[Snapshot]:
        """Yield the snapshots not read so far. Raises `BpfexitError` if it cannot continue."""
        while snapshot := self._source.next():
            yield snapshot

    def notes(self) -> list[str]:
        """Return the damage and the skipped parts so far, a sentence each."""
        return self._source.notes()

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
