"""What `--qmp` names: a socket, and whose it is. Apart from `qmp`, which is slow to import."""

from __future__ import annotations

import os
from dataclasses import dataclass

from bpfexit.model.guest import Guest


@dataclass(frozen=True)
class Socket:
    """A socket that `--qmp` names, and the guest's name or pid; "" when it says neither."""

    guest: str
    path: str

    @classmethod
    def parse(cls, text: str) -> Socket:
        """Read `[GUEST=]PATH`. Names and paths may hold `=`, so what exists decides."""
        parts = text.split("=")
        splits = [cls("=".join(parts[:at]), "=".join(parts[at:])) for at in range(len(parts))]
        existing = (each for each in splits if os.path.exists(each.path))
        absolute = (each for each in splits if each.path.startswith("/"))
        return next(existing, None) or next(absolute, None) or splits[min(1, len(splits) - 1)]

    def is_of(self, guest: Guest) -> bool:
        """Say whether the user means this guest."""
        return self.guest in (guest.name, str(guest.pid))


@dataclass(frozen=True)
class MapSources:
    """Whom to ask for the guests' memory maps; nobody, as it is."""

    sockets: tuple[Socket, ...] = ()
    libvirt: bool = False

    def __bool__(self) -> bool:
        return bool(self.sockets) or self.libvirt


NO_MAP_SOURCES = MapSources()
