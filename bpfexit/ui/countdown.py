"""The remaining time of a count: one line, rewritten on a terminal, nothing elsewhere."""

from typing import TextIO

from bpfexit.model import numbers
from bpfexit.model.snapshot import Snapshot

_CLEAR = "\r\x1b[K"


class Countdown:
    """Shows the exits counted so far and the remaining seconds."""

    def __init__(self, stream: TextIO, lasts_s: float) -> None:
        self._stream = stream
        self._lasts_s = lasts_s
        self._elapsed_s = 0.0
        self._exits = 0

    def show(self, snapshot: Snapshot) -> None:
        """Add an interval."""
        self._elapsed_s += snapshot.duration_s
        self._exits += snapshot.exits
        left = max(0.0, self._lasts_s - self._elapsed_s)
        self._write(f"{_CLEAR}{numbers.count(self._exits)} counted, {left:.0f} s to go")

    def end(self) -> None:
        """Clear the line."""
        self._write(_CLEAR)

    def _write(self, text: str) -> None:
        if self._stream.isatty():
            self._stream.write(text)
            self._stream.flush()
