"""The progress of a recording: one line, rewritten on a terminal, seldom elsewhere."""

from dataclasses import asdict
from typing import TextIO

from bpfexit.model import numbers
from bpfexit.model.losses import Lost

PAUSE_S = 60.0
"""Seconds between two lines if they cannot be rewritten, as in a log."""

_REWRITE = "\r\x1b[K"
_SIZES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def progress(elapsed_s: float, exits: int, size: int, lost: Lost) -> str:
    """Return the elapsed time, the exits, the file's size in bytes and the losses."""
    clock = numbers.clock(elapsed_s)
    return f"{clock}  {numbers.count(exits)} counted  {file_size(size)}  {losses(lost)}"


def file_size(size: int) -> str:
    """Format bytes: `850 B`, `12.4 kB`."""
    for unit, name in _SIZES:
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} B"


def losses(lost: Lost) -> str:
    """Return the losses with their counts."""
    written = [f"{name} {numbers.count(number)}" for name, number in asdict(lost).items() if number]
    return f"lost: {', '.join(written) or 'nothing'}"


class Progress:
    """Shows the line on a stream."""

    def __init__(self, stream: TextIO, alone: bool) -> None:
        """Rewrite the line if `alone` on a terminal: nothing else is printed there."""
        self._stream = stream
        self._rewrites = alone and stream.isatty()
        self._next_s = 0.0 if self._rewrites else PAUSE_S

    def show(self, elapsed_s: float, text: str) -> None:
        """Show the line if it is due; `elapsed_s` is since the start."""
        if elapsed_s < self._next_s:
            return
        self._next_s = 0.0 if self._rewrites else elapsed_s + PAUSE_S
        self._write(f"{_REWRITE}{text}" if self._rewrites else f"bpfexit: {text}\n")

    def end(self, *lines: str) -> None:
        """Write the last lines."""
        text = "".join(f"bpfexit: {line}\n" for line in lines)
        self._write(f"{_REWRITE if self._rewrites else ''}{text}")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
