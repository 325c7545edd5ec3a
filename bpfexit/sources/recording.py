"""A recording: snapshots read back from JSON lines, gzip when the name ends in .gz."""

import gzip
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO

from bpfexit.errors import BpfexitError
from bpfexit.formats import snapshot_json
from bpfexit.model.snapshot import Snapshot
from bpfexit.sources.source import Filter, kept

LINE_LIMIT = 256 << 20
"""Characters of the longest line that is read: a hostile file is not to fill the memory."""


class RecordingSource:
    """The snapshots of a file, one after another, as they were."""

    def __init__(self, path: Path, wanted: Filter) -> None:
        """Open and read the first. Raises `BpfexitError` for what is no recording."""
        self._path = path
        self._wanted = wanted
        self.cut: str | None = None
        self._snapshots = self._read()
        self._ahead: Snapshot | None = None
        first = self._peek()
        if first is None:
            raise BpfexitError(f"{path} holds no whole snapshot: make one with `bpfexit top -j`")
        self._emits_exits = first.origin.emits_exits

    @property
    def emits_exits(self) -> bool:
        """As the first snapshot says."""
        return self._emits_exits

    def next(self) -> Snapshot | None:
        """Return the next snapshot; None after the last."""
        snapshot = self._peek()
        self._ahead = None
        return kept(snapshot, self._wanted) if snapshot else None

    def due(self) -> float | None:
        """Return how long the next snapshot lasted, s."""
        snapshot = self._peek()
        return snapshot.duration_s if snapshot else 0.0

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
        except (EOFError, zlib.error):
            self.cut = "the file ends within a compressed block"
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise BpfexitError(f"cannot read {self._path}: {why}") from None

    def _decoded(self, file: IO[str]) -> Iterator[Snapshot]:
        number = 0
        while line := file.readline(LINE_LIMIT):
            number += 1
            try:
                yield snapshot_json.decode(line)
            except BpfexitError as error:
                if line.endswith("\n") or number == 1:
                    raise BpfexitError(f"{self._path}, line {number}: {error}") from None
                self.cut = f"line {number} is cut short"


def _opened(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")
