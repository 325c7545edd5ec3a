"""Small files of /proc that are read again and again: opening one takes longer than reading it."""

import os
import resource
from collections.abc import Collection

_SIZE, _MOST = 256, 1 << 16
_SHARE = 4
"""A quarter of the files that the process may have open, at most."""


class KeptFiles:
    """Keeps files open between readings, up to a limit; the others are opened each time."""

    def __init__(self) -> None:
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._most = min(limit, 1 << 16) // _SHARE
        self._fds: dict[str, int] = {}

    def read(self, path: str, most: int = _SIZE) -> bytes:
        """Return the beginning of a file, at most so many bytes. Raises `OSError`."""
        fd = self._fds.get(path)
        if fd is not None:
            try:
                return os.pread(fd, most, 0)
            except OSError:  # what it was about has ended; the path may be another one's
                os.close(self._fds.pop(path))
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        if len(self._fds) < self._most:
            self._fds[path] = fd
            return os.pread(fd, most, 0)
        try:
            return os.pread(fd, most, 0)
        finally:
            os.close(fd)

    def text(self, path: str) -> bytes:
        """Return the beginning of a file, 64 KiB; empty if it cannot be read."""
        try:
            return self.read(path, _MOST)
        except OSError:
            return b""

    def keep(self, paths: Collection[str]) -> None:
        """Close all files but these."""
        for path in self._fds.keys() - set(paths):
            os.close(self._fds.pop(path))

    def close(self) -> None:
        """Close all files."""
        self.keep(())
