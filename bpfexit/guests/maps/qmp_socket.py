"""The value of `--qmp`: a socket and its guest. Apart from `qmp`, which is slow to import."""

from __future__ import annotations

import os
from dataclasses import dataclass

from bpfexit.model.guest import Guest


@dataclass(frozen=True)
class Socket:
    """A socket of `--qmp`, and its guest's name or PID; "" if not given."""

    guest: str
    path: str

    @classmethod
    def parse(cls, text: str) -> Socket:
        """Read `[GUEST=]PATH`. Names and paths may contain `=`: the path that exists decides."""
        parts = text.split("=")
        splits = [
            cls("=".join(parts[:index]), "=".join(parts[index:])) for index in range(len(parts))
        ]
        existing = (split for split in splits if os.path.exists(split.path))
        absolute = (split for split in splits if split.path.startswith("/"))
        return next(existing, None) or next(absolute, None) or splits[min(1, len(splits) - 1)]

    def is_of(self, guest: Guest) -> bool:
        """Return whether the user names this guest."""
        return self.guest in (guest.name, str(guest.pid))


@dataclass(frozen=True)
class MapSources:
    """The sources of the guests' memory maps; by default none."""

    sockets: tuple[Socket, ...] = ()
    libvirt: bool = False

    def __bool__(self) -> bool:
        return bool(self.sockets) or self.libvirt


NO_MAP_SOURCES = MapSources()
