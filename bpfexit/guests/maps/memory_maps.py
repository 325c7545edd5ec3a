"""The guests' own memory maps, through QMP or libvirt, read in a thread of their own.

An interval never waits for a guest's QEMU or for libvirt: it takes the maps that the
thread has published so far.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Mapping
from threading import Event, Thread

from bpfexit.guests.maps.map_reader import MapReader
from bpfexit.guests.maps.published import GuestKey, Mapped
from bpfexit.guests.maps.qmp_socket import MapSources
from bpfexit.guests.maps.schedule import LONGEST_PAUSE_S
from bpfexit.host.cancel import Cancel, CancelledError
from bpfexit.host.quiet_thread import start_without_signals
from bpfexit.model.guest import Guest

FIRST_WAIT_S = 1.0
"""How long the start waits for the first answers, at most, so that short runs have names."""

LAST_WAIT_S = 2.0
"""How long the end waits for the thread, whose work is cancelled. A thread that still does
not end, as its virsh sleeps uninterruptibly, does not keep the process."""


class MemoryMaps:
    """Publishes the maps of the guests that it is given, empty if unknown.

    A failure is printed once, and is among `failures()` as long as it lasts.
    """

    def __init__(
        self,
        sources: MapSources,
        tell: Callable[[str], object],
        guests: Mapping[GuestKey, Guest],
        others: Container[int] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with the guests that are running; `others` are running, too, but not watched.

        A socket that names its guest waits for that guest.
        """
        self._tell = tell
        self._cancel = Cancel()
        self._reader = MapReader(sources, others, clock, self._cancel)
        self._guests = guests
        self._changed = Event()
        self._idle = Event()
        self._thread = Thread(target=self._read, name="memory-maps", daemon=True)
        start_without_signals(self._thread)
        self._idle.wait(FIRST_WAIT_S)
        self._tell_notes()

    def __call__(self, guests: Mapping[GuestKey, Guest], /) -> Mapping[GuestKey, Mapped]:
        """Set the guests that are running; return the known maps. Never waits."""
        before, self._guests = self._guests, guests
        if before.keys() != guests.keys():
            self._changed.set()
        self._tell_notes()
        return self._reader.board.maps

    def failures(self) -> tuple[str, ...]:
        """Return the current failures, a sentence each."""
        return tuple(dict.fromkeys(self._reader.board.failures.values()))

    def close(self) -> None:
        """Stop reading at once; print the sources that were too slow for the whole run."""
        self._cancel.cancel()
        self._changed.set()
        self._thread.join(LAST_WAIT_S)
        self._tell_notes()
        for note in self._reader.unread(self._guests):
            self._tell(note)

    def _read(self) -> None:
        """Read what is due until it is cancelled; a new guest is due at once."""
        try:
            while not self._cancel.cancelled:
                pause_s = self._reader.read(self._guests)
                if pause_s:
                    self._idle.set()
                    self._changed.wait(min(pause_s, LONGEST_PAUSE_S))
                    self._changed.clear()
        except CancelledError:
            pass
        finally:
            self._idle.set()

    def _tell_notes(self) -> None:
        """Print from the thread that owns the terminal."""
        for note in self._reader.board.take_notes():
            self._tell(note)
