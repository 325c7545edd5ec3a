"""A recording: snapshots read back from JSON lines, gzip when the name ends in .gz.

A header line may come first, and again wherever the recorder went on with the file;
lines about the guests before the snapshots they are in.
"""

import gzip
import zlib
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO, cast

from bpfexit.errors import BpfexitError
from bpfexit.formats.json import guest as guest_json
from bpfexit.formats.json import recording as recording_json
from bpfexit.formats.json import snapshot as snapshot_json
from bpfexit.formats.json.values import Line, TooLargeError
from bpfexit.model.filter import Filter, kept
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.text import printable
from bpfexit.recording import lines
from bpfexit.recording.state import Known

_MOST_REASONS = 100
"""Reasons that a note names; Intel VMX has some 70."""


class RecordingSource:
    """The snapshots of a file, one after another, as they were."""

    def __init__(self, path: Path, wanted: Filter) -> None:
        """Open and read the first. Raises `BpfexitError` for what is no recording."""
        self._path = path
        self._wanted = wanted
        self.cut: str | None = None
        self.header: recording_json.Header | None = None
        """The last header read; `top -j` writes none."""
        self._known = Known()
        self._unseen = {reason.lower(): reason for reason in wanted.reasons}
        self._reasons: dict[str, None] = {}
        self._line = 0
        self._snapshots = self._read()
        self._ahead: Snapshot | None = None
        first = self._peek()
        if first is None:
            raise BpfexitError(f"{path} holds no whole snapshot: make one with `bpfexit record`")
        self._emits_exits = first.origin.emits_exits
        self.start = first.start
        """When the first snapshot began, unix time, s."""
        self.end = first.start
        """When the last one returned ended, unix time, s."""

    @property
    def emits_exits(self) -> bool:
        """As the first snapshot says."""
        return self._emits_exits

    def next(self) -> Snapshot | None:
        """Return the next snapshot; None after the last."""
        snapshot = self._peek()
        self._ahead = None
        if snapshot:
            self.end = snapshot.start + snapshot.duration_s
            self._see(snapshot.reasons)
        return kept(snapshot, self._wanted) if snapshot else None

    def notes(self) -> list[str]:
        """Say, once it has been read, how it is cut and which of the wanted reasons it lacks."""
        name = printable(str(self._path))
        said = [f"{name} is not whole: {self.cut}"] if self.cut else []
        if self._unseen:
            unseen = printable(", ".join(self._unseen.values()))
            others = [*self._reasons][:_MOST_REASONS] + ["…"] * (len(self._reasons) > _MOST_REASONS)
            known = printable(", ".join(others)) or "no reasons at all"
            said.append(f"{name} has no exit of {unseen}: it has {known}")
        return said

    def _see(self, reasons: tuple[str, ...]) -> None:
        """Note which of the wanted reasons there are, and what the others are called."""
        for reason in reasons:
            self._unseen.pop(reason.lower(), None)
            if len(self._reasons) <= _MOST_REASONS:
                self._reasons[reason] = None

    def due(self) -> float | None:
        """Return how long the next snapshot lasted, s."""
        snapshot = self._peek()
        return snapshot.duration_s if snapshot else 0.0

    def measuring_cost(self) -> AbstractContextManager[None]:
        """Do nothing: what was measured then is in the snapshots."""
        return nullcontext()

    def close(self) -> Snapshot | None:
        """Close the file."""
        self._snapshots.close()
        return None

    def _peek(self) -> Snapshot | None:
        """Read the next snapshot when it is asked for, so an error costs none before it."""
        if self._ahead is None:
            self._ahead = next(self._snapshots, None)
        return self._ahead

    def _read(self) -> Generator[Snapshot, None, None]:
        """Yield the snapshots; stop at a last line that was cut short, and say so in `cut`."""
        try:
            with _opened(self._path) as file:
                yield from self._decoded(file)
        except EOFError:
            self.cut = "the file ends within a compressed block"
        except (zlib.error, gzip.BadGzipFile) as error:
            if not self._line:
                raise BpfexitError(f"cannot read {self._path}: {error}") from None
            self.cut = f"the compressed data is broken after line {self._line}"
        except OSError as error:
            raise BpfexitError(f"cannot read {self._path}: {error.strerror or error}") from None

    def _decoded(self, file: BinaryIO) -> Iterator[Snapshot]:
        while line := lines.read_line(file):
            self._line += 1
            try:
                snapshot = self._snapshot(line)
            except BpfexitError as error:
                if self._line == 1 and not isinstance(error, TooLargeError):
                    raise BpfexitError(
                        f"{self._path} is no recording, line 1: {error}; "
                        "make one with `bpfexit record`"
                    ) from None
                if line.endswith(b"\n") or isinstance(error, TooLargeError):
                    raise BpfexitError(f"{self._path}, line {self._line}: {error}") from None
                self.cut = f"line {self._line} is cut short"
                return
            del line  # it may be large, and so may the next one
            if snapshot is not None:
                yield snapshot
            del snapshot

    def _snapshot(self, line: Line) -> Snapshot | None:
        """Decode a line; None for a header or a guest, which are kept for what follows."""
        if len(line) > lines.LONGEST:
            raise TooLargeError(
                f"it is longer than {lines.LONGEST >> 20} MiB: record fewer guests (-p) or rows "
                "(--max-rows) per file"
            )
        if header := recording_json.decode(line):
            self.header = header
            self._known = Known(header.origin.facts)
        elif guest := guest_json.decode(line):
            self._known.add(guest)
        else:
            return self._known.put_into(snapshot_json.decode(line))
        return None


def _opened(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path)) if path.suffix == ".gz" else path.open("rb")
