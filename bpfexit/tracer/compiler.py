"""The compiler: what it says is kept off the terminal, and its memory is given up afterwards."""

import ctypes
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bpfexit.errors import BpfexitError
from bpfexit.tracer import plan as programs

LIBRARIES = ("libLLVM", "libclang")
"""How the file names begin of what bcc loads to compile with."""

_MADV_DONTNEED = 4


def compiled(bcc: Any, plan: programs.Plan) -> Any:
    """Compile the programs with bcc; return its object of them. Raises `BpfexitError`."""
    flags = [f"-D{name}={value}" for name, value in plan.macros.items()]
    with shielded(), _compiler_output() as said:
        try:
            return bcc.BPF(text=programs.text(plan.files), cflags=["-Wno-macro-redefined", *flags])
        except Exception as error:
            said.append(one_line(error))
    raise BpfexitError(f"the BPF programs do not load: {' '.join(said)}")


@contextmanager
def shielded() -> Iterator[None]:
    """Give bcc a working directory and an environment of its own; restore both afterwards.

    libbcc compiles in the folder of the kernel's headers and goes back by name, which has to
    fit 256 bytes (bcc 0.26). It takes the architecture from ARCH, and clang takes include
    folders from CPATH, and so on: nothing of the caller's environment is meant for them.
    """
    environment = {name: value for name, value in os.environ.items() if name}
    with _elsewhere():
        for name in environment:
            del os.environ[name]
        os.environ["BCC_KERNEL_SOURCE"] = str(programs.folder() / "headers")
        try:
            yield
        finally:
            del os.environ["BCC_KERNEL_SOURCE"]
            os.environ.update(environment)


@contextmanager
def _elsewhere() -> Iterator[None]:
    """Work in `/`. The way back is a descriptor: it serves a folder that is deleted, too."""
    try:
        place = os.open(".", os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        raise BpfexitError(
            f"the working directory cannot be entered ({error.strerror}): run bpfexit from another"
        ) from None
    try:
        os.chdir("/")
        yield
    finally:
        os.fchdir(place)
        os.close(place)


@contextmanager
def _compiler_output() -> Iterator[list[str]]:
    """Keep what clang writes to stderr off the terminal; yield it as lines afterwards."""
    said: list[str] = []
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.memfd_create("clang"), "w+b") as pipe:
            os.dup2(pipe.fileno(), 2)
            try:
                yield said
            finally:
                os.dup2(kept, 2)
                pipe.seek(0)
                said[:0] = io.TextIOWrapper(pipe, errors="replace").read().splitlines()
    finally:
        os.close(kept)


def one_line(error: Exception) -> str:
    """Return what bcc says of an error, which may have several lines, as one."""
    return " ".join(str(error).split())


def release_compiler() -> None:
    """Give up the compiler's code, 75 MB, and what it has freed of the heap, 18 MB.

    Code is never written, so whatever of it is called again is read from its file, which
    as a rule is in the page cache. A C library that cannot do it costs only the memory.
    """
    library = ctypes.CDLL(None)
    for start, end in code(Path("/proc/self/maps").read_text(), LIBRARIES):
        library.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_DONTNEED)
    if hasattr(library, "malloc_trim"):  # glibc
        library.malloc_trim(ctypes.c_size_t(0))


def code(maps: str, names: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    """Yield where libraries' code is mapped, from `start-end r-xp offset device inode path`."""
    for line in maps.splitlines():
        span, access, *_, path = line.split(maxsplit=5)
        if access == "r-xp" and path.rpartition("/")[2].startswith(names):
            start, end = (int(address, 16) for address in span.split("-"))
            yield start, end
