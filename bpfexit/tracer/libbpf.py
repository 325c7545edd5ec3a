"""libbpf's calls into the kernel: maps, programs, ring buffers. Each failure is an `OSError`."""

import ctypes
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from bpfexit.compiler.bundle import INSTRUCTION, MapDefinition
from bpfexit.errors import BpfexitError

LIBRARIES = ("libbpf.so.1", "libbcc.so.0")
"""libbpf itself, or the one that a bcc built from source contains."""

RAW_TRACEPOINT, TRACEPOINT = 17, 5
"""Kinds of programs: BPF_PROG_TYPE_… of linux/bpf.h."""

_LICENSE = b"GPL"
_LOG_BYTES = 1 << 20

SAMPLE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
"""What a ring buffer calls for each record: context, record, size."""


class _MapOptions(ctypes.Structure):
    """The beginning of `struct bpf_map_create_opts`; `sz` tells libbpf how much there is."""

    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("btf_fd", ctypes.c_uint32),
        ("btf_key_type_id", ctypes.c_uint32),
        ("btf_value_type_id", ctypes.c_uint32),
        ("btf_vmlinux_value_type_id", ctypes.c_uint32),
        ("inner_map_fd", ctypes.c_uint32),
        ("map_flags", ctypes.c_uint32),
    )


class _ProgramOptions(ctypes.Structure):
    """The beginning of `struct bpf_prog_load_opts`."""

    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("attempts", ctypes.c_int),
        ("expected_attach_type", ctypes.c_int),
        ("prog_btf_fd", ctypes.c_uint32),
        ("prog_flags", ctypes.c_uint32),
        ("prog_ifindex", ctypes.c_uint32),
        ("kern_version", ctypes.c_uint32),
        ("attach_btf_id", ctypes.c_uint32),
        ("attach_prog_fd", ctypes.c_uint32),
        ("attach_btf_obj_fd", ctypes.c_uint32),
        ("fd_array", ctypes.c_void_p),
        ("func_info", ctypes.c_void_p),
        ("func_info_cnt", ctypes.c_uint32),
        ("func_info_rec_size", ctypes.c_uint32),
        ("line_info", ctypes.c_void_p),
        ("line_info_cnt", ctypes.c_uint32),
        ("line_info_rec_size", ctypes.c_uint32),
        ("log_level", ctypes.c_uint32),
        ("log_size", ctypes.c_uint32),
        ("log_buf", ctypes.c_char_p),
    )


class Libbpf:
    """The functions of one library that is loaded into this process."""

    def __init__(self, library: Any) -> None:
        """Take a `ctypes.CDLL`, opened with `use_errno`."""
        self._library = library
        library.libbpf_set_print(None)  # errors are raised, not printed
        library.ring_buffer__new.restype = ctypes.c_void_p
        library.ring_buffer__new.argtypes = [ctypes.c_int, SAMPLE, ctypes.c_void_p, ctypes.c_void_p]
        for name in ("ring_buffer__consume", "ring_buffer__free"):
            getattr(library, name).argtypes = [ctypes.c_void_p]
        library.ring_buffer__free.restype = None

    def create_map(self, name: str, definition: MapDefinition) -> int:
        """Return the descriptor of a new map."""
        options = _MapOptions(sz=ctypes.sizeof(_MapOptions), map_flags=definition.flags)
        return _checked(
            self._library.bpf_map_create(
                ctypes.c_int(definition.kind),
                name.encode(),
                ctypes.c_uint32(definition.key_size),
                ctypes.c_uint32(definition.value_size),
                ctypes.c_uint32(definition.max_entries),
                ctypes.byref(options),
            )
        )

    def load_program(self, name: str, kind: int, instructions: bytes) -> int:
        """Return the descriptor of a program that the kernel's verifier has accepted.

        If it refuses the program, the error's message is the last line of the verifier's log.
        """
        try:
            return self._load(name, kind, instructions, None)
        except OSError as error:
            log = ctypes.create_string_buffer(_LOG_BYTES)
            with suppress(OSError):
                os.close(self._load(name, kind, instructions, log))
            raise OSError(error.errno, _reason(error, log.value)) from None

    def _load(self, name: str, kind: int, instructions: bytes, log: Any) -> int:
        options = _ProgramOptions(sz=ctypes.sizeof(_ProgramOptions))
        if log is not None:
            options.log_level, options.log_size = 1, len(log)
            options.log_buf = ctypes.addressof(log)
        return _checked(
            self._library.bpf_prog_load(
                ctypes.c_int(kind),
                name.encode(),
                _LICENSE,
                instructions,
                ctypes.c_size_t(len(instructions) // INSTRUCTION.size),
                ctypes.byref(options),
            )
        )

    def attach_raw_tracepoint(self, event: str, program: int) -> int:
        """Return a descriptor that keeps a program attached while it is open."""
        return _checked(self._library.bpf_raw_tracepoint_open(event.encode(), program))

    def lookup(self, fd: int, key: bytes, size: int) -> bytes:
        """Return the value of a map's entry, of `size` bytes."""
        value = ctypes.create_string_buffer(size)
        _checked(self._library.bpf_map_lookup_elem(fd, key, value))
        return value.raw

    def update(self, fd: int, key: bytes | None, value: bytes) -> None:
        """Write a map's entry; without a key, push to a stack."""
        _checked(self._library.bpf_map_update_elem(fd, key, value, ctypes.c_uint64(0)))

    def push(self, fd: int, values: Iterable[int]) -> None:
        """Push 32-bit numbers to a stack; the last one is its top."""
        number = ctypes.c_uint32()
        pointer, no_flags = ctypes.byref(number), ctypes.c_uint64(0)
        push = self._library.bpf_map_update_elem
        for value in values:
            number.value = value
            if push(fd, None, pointer, no_flags):
                raise _error()

    def delete(self, fd: int, key: bytes) -> None:
        """Delete a map's entry."""
        _checked(self._library.bpf_map_delete_elem(fd, key))

    def keys(self, fd: int, size: int) -> Iterator[bytes]:
        """Yield the keys of a hash, of so many bytes each; none may be deleted meanwhile."""
        key: bytes | None = None
        following = ctypes.create_string_buffer(size)
        while self._library.bpf_map_get_next_key(fd, key, following) == 0:
            key = following.raw
            yield key

    def possible_cpus(self) -> int:
        """Return the number of CPUs for which a per-CPU map has values."""
        return _checked(self._library.libbpf_num_possible_cpus())

    def ring_buffer(self, fd: int, sample: Any) -> int:
        """Return the address of a ring buffer's reader; `sample`, a `SAMPLE`, must stay alive."""
        ring = self._library.ring_buffer__new(fd, sample, None, None)
        if not ring:
            raise _error()
        return int(ring)

    def consume(self, ring: int) -> None:
        """Call the reader's `sample` for each record in the buffer."""
        _checked(self._library.ring_buffer__consume(ring))

    def free_ring_buffer(self, ring: int) -> None:
        """Give up a reader."""
        self._library.ring_buffer__free(ring)


def open_libbpf() -> Libbpf:
    """Load the library. Raises `BpfexitError` if it is missing."""
    for name in LIBRARIES:
        with suppress(OSError, AttributeError):
            library = ctypes.CDLL(name, use_errno=True)
            library.bpf_map_create  # noqa: B018 - not in those before 0.6
            return Libbpf(library)
    raise BpfexitError(
        f"{LIBRARIES[0]}, which loads BPF programs, is missing: install the distribution's package "
        "(Debian: `apt-get install libbpf1`)"
    )


def _checked(result: int) -> int:
    if result < 0:
        raise _error()
    return result


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def _reason(error: OSError, log: bytes) -> str:
    """Return the error with the last message of the verifier, before its statistics."""
    lines = [line for line in log.decode(errors="replace").splitlines() if line]
    messages = [line for line in lines if not line.startswith("processed ")]
    return ": ".join([str(error.strerror), *messages[-1:]])
