"""Compiled programs, kept in a folder that only root may write.

No failure is an error: a file that cannot be read, trusted or written counts as missing, which
costs a compilation.
"""

import os
import stat
from binascii import crc32
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bpfexit.compiler.document import LARGEST
from bpfexit.host.check import Check, Status

FOLDER = Path("/var/cache/bpfexit")

MOST = 32
"""Maximum number of entries; the least recently used are dropped."""

ROOT = 0
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_SUFFIX, _PART = ".bpf", ".part"
_SAFELY = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # no link is followed, no pipe waited for
_HEADER_BYTES = 8
"""A file: the checksum of all that follows, the key's size, both little-endian; key; data."""


class UntrustedError(OSError):
    """A file or folder that users other than root may have written."""


def load(key: bytes, folder: Path = FOLDER) -> bytes | None:
    """Return the data stored under a key; None if there is none that can be trusted."""
    with suppress(OSError), _opened(folder) as directory:
        fd = os.open(_name(key), os.O_RDONLY | _SAFELY, dir_fd=directory)
        with open(fd, "rb") as file:
            _trust(fd, stat.S_IFREG)
            content = file.read(_HEADER_BYTES + len(key) + LARGEST)
            head = _head(key, content[_HEADER_BYTES + len(key) :])
            if content.startswith(head):
                with suppress(OSError):
                    os.utime(fd)  # it is in use: others are dropped first
                return content[len(head) :]
    return None


def store(key: bytes, data: bytes, folder: Path = FOLDER) -> None:
    """Store data under a key; create the folder if it is missing."""
    if os.geteuid() != ROOT:
        return
    with suppress(OSError):
        _make(folder)
        with _opened(folder) as directory:
            _write(directory, _name(key), _head(key, data) + data)
            _drop_oldest(directory)


def check(folder: Path = FOLDER) -> Check:
    """Check whether compilations are kept; call it after one."""
    name = "cache"
    try:
        with _opened(folder) as directory:
            entries = len(_entries(directory, _SUFFIX))
            is_writable = os.access(".", os.W_OK, dir_fd=directory)
    except FileNotFoundError:
        fact = f"{folder} does not exist"
        remedy = f"make it as root with `mkdir -pm 755 {folder}`"
    except UntrustedError:
        fact, remedy = f"others than root may write {folder}", "remove it; bpfexit makes it anew"
    except OSError as error:
        fact, remedy = f"{folder} cannot be used ({error.strerror})", "remove what is there"
    else:
        if entries or is_writable:
            fact = f"in use: {folder} holds {entries} of at most {MOST} compilations"
            return Check(name, Status.OK, fact)
        fact = f"{folder} is empty and cannot be written"
        remedy = "run bpfexit as root once, with the folder writable"
    return Check(name, Status.WARN, f"{fact}, so each start compiles the programs", remedy)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """Yield the folder's descriptor. Raises `OSError` unless it exists and is root's alone."""
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | _SAFELY)
    try:
        _trust(directory, stat.S_IFDIR)
        yield directory
    finally:
        os.close(directory)


def _trust(fd: int, kind: int) -> None:
    """Raise `UntrustedError` unless it has this type and only root may have written it."""
    status = os.fstat(fd)
    is_roots = status.st_uid == ROOT and not status.st_mode & _OTHERS_MAY_WRITE
    if stat.S_IFMT(status.st_mode) != kind or not is_roots:
        raise UntrustedError


def _make(folder: Path) -> None:
    """Create the folder, readable by all; its parent must exist."""
    with suppress(FileExistsError):
        folder.mkdir(mode=0o755)
        folder.chmod(0o755)  # regardless of the umask


def _write(directory: int, name: str, content: bytes) -> None:
    """Write a file whole or not at all: a reader finds the old one, the new one or none."""
    part = f"{name}.{os.getpid()}{_PART}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFELY
    try:
        with open(os.open(part, flags, 0o644, dir_fd=directory), "wb") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(content)
        os.replace(part, name, src_dir_fd=directory, dst_dir_fd=directory)
    except OSError:
        with suppress(OSError):
            os.unlink(part, dir_fd=directory)
        raise


def _drop_oldest(directory: int) -> None:
    times = {}
    for name in _entries(directory, _SUFFIX, _PART):
        with suppress(FileNotFoundError):
            times[name] = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mtime
    for name in sorted(times, key=times.__getitem__)[:-MOST]:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=directory)


def _entries(directory: int, *suffixes: str) -> list[str]:
    return [name for name in os.listdir(directory) if name.endswith(suffixes)]


def _name(key: bytes) -> str:
    """Return the file of a key. Two keys may share one, which costs compilations."""
    return f"{crc32(key):08x}{_SUFFIX}"


def _head(key: bytes, data: bytes) -> bytes:
    """Return what comes before the data: a checksum of key and data, and the key."""
    rest = len(key).to_bytes(4, "little") + key
    return crc32(rest + data).to_bytes(4, "little") + rest
