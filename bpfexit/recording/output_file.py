"""The output file of a recording: opened exclusively, at a path that no other user controls.

bpfexit runs as root and records into folders of other users, such as /tmp. A symbolic
link or an existing file there may be planted.
"""

import errno
import fcntl
import os
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from bpfexit.errors import BpfexitError

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MODE = 0o600  # other users must not see what guests do
_WRITABLE_BY_OTHERS = 0o022

_MAX_LINKS = 40  # as the kernel's MAXSYMLINKS
_FLOCK = struct.Struct("@hhqqi4x")  # struct flock of fcntl(2) where off_t has 64 bits


@dataclass(frozen=True)
class OutputFile:
    """An open, locked file and its folder."""

    fd: int
    folder: int  # a descriptor, O_PATH
    name: str
    created: bool

    def discard(self) -> None:
        """Remove the file if it was created here and still has its name."""
        with suppress(OSError):
            named = os.stat(self.name, dir_fd=self.folder, follow_symlinks=False)
            if self.created and os.path.samestat(named, os.fstat(self.fd)):
                os.unlink(self.name, dir_fd=self.folder)

    def close(self) -> None:
        """Close the descriptors, which releases the lock."""
        os.close(self.folder)
        os.close(self.fd)


def open_output(path: Path, append: bool) -> OutputFile:
    """Create a file, or with `append` open an existing one. Raises `BpfexitError`."""
    try:
        folder = _open_folder(path)
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        fd, created = _open_file(path, folder, append)
    except BaseException:
        os.close(folder)
        raise
    output = OutputFile(fd, folder, path.name, created)
    try:
        _check(output, path)
        _lock(fd, path)
    except BaseException:
        output.close()
        raise
    return output


def _open_folder(path: Path) -> int:
    """Open the folder of a file; follow symbolic links only if no other user can make them."""
    pending = [*reversed(path.parent.parts)]
    folder = os.open(".", _FOLDER)
    links = 0
    try:
        while pending:
            name = pending.pop()
            try:
                inner = os.open(name, _FOLDER, dir_fd=folder)
            except NotADirectoryError:
                links += 1
                pending += reversed(_target(path, name, folder, links).parts)
                continue
            os.close(folder)
            folder = inner
    except BaseException:
        os.close(folder)
        raise
    return folder


def _target(path: Path, name: str, folder: int, links: int) -> Path:
    """Return the target of a link. Raises `OSError` if it is not a link."""
    try:
        target = os.readlink(name, dir_fd=folder)
    except OSError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None
    if links > _MAX_LINKS:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if not _is_own(folder):
        raise BpfexitError(
            f"cannot write {path}: {name} is a symbolic link in a folder that other users may"
            f" write; name the folder it points to"
        )
    return Path(target)


def _is_own(folder: int) -> bool:
    """Return whether only root and this process's user may change a folder's entries."""
    about = os.fstat(folder)
    return about.st_uid in (0, os.geteuid()) and not about.st_mode & _WRITABLE_BY_OTHERS


def _open_file(path: Path, folder: int, append: bool) -> tuple[int, bool]:
    """Return a descriptor, and whether the file was created."""
    try:
        with suppress(*([FileExistsError] if append else [])):
            return os.open(path.name, _FILE | os.O_CREAT | os.O_EXCL, _MODE, dir_fd=folder), True
        return os.open(path.name, _FILE, dir_fd=folder), False
    except FileExistsError:
        raise BpfexitError(f"{path} exists: give another name, or append with --append") from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise BpfexitError(
                f"cannot append to {path}: it is a symbolic link; name the file it points to"
            ) from None
        raise _unwritable(path, error) from None


def _check(output: OutputFile, path: Path) -> None:
    """Refuse a file that another user may have put there."""
    about = os.fstat(output.fd)
    if not S_ISREG(about.st_mode):
        raise BpfexitError(f"cannot append to {path}: it is not a regular file")
    if about.st_uid != os.geteuid():
        raise BpfexitError(
            f"cannot append to {path}: it belongs to the user {about.st_uid};"
            f" give another name, or `chown {os.geteuid()}` it"
        )
    if about.st_nlink > 1 and not _is_own(output.folder):
        raise BpfexitError(
            f"cannot append to {path}: it has other names (hard links), in a folder that other"
            " users may write; give another name"
        )


def _lock(fd: int, path: Path) -> None:
    """Lock the file against other recorders until it is closed.

    On a file system without locks, the recorder still notices changes of the size.
    """
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            raise BpfexitError(
                f"cannot write {path}: {_holder(fd)} records to it; stop it, or give another name"
            ) from None


def _holder(fd: int) -> str:
    """Return the process that holds the lock; one of another PID namespace has no number here."""
    asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    *_, pid = _FLOCK.unpack(fcntl.fcntl(fd, fcntl.F_GETLK, asked))
    return f"process {pid}" if pid > 0 else "another process"


def _unwritable(path: Path, error: OSError) -> BpfexitError:
    return BpfexitError(f"cannot write {path}: {error.strerror}")
