"""Maps in the kernel: made here, read and written entry by entry, and rings of records."""

import ctypes
import os
from collections.abc import Callable, Iterable

from bpfexit.compiler.bundle import MapDefinition
from bpfexit.errors import BpfexitError
from bpfexit.tracer.libbpf import SAMPLE, Libbpf


class Map:
    """A map in the kernel, from its creation until it is closed."""

    def __init__(self, library: Libbpf, name: str, definition: MapDefinition) -> None:
        """Make it. Raises `BpfexitError` if the kernel refuses."""
        self.name = name
        self.definition = definition
        self.library = library
        try:
            self.fd = library.create_map(name, definition)
        except OSError as error:
            raise BpfexitError(
                f"the kernel refused the map {name} ({error.strerror}); is it out of memory?"
            ) from None

    def set(self, index: int, value: int) -> None:
        """Write an entry of an array of numbers. Raises `OSError`."""
        size = self.definition.value_size
        self.library.update(self.fd, _index(index), value.to_bytes(size, "little"))

    def add(self, keys: Iterable[int]) -> None:
        """Add numbers to a hash that is a set. Raises `OSError`."""
        value = bytes(self.definition.value_size)
        for key in keys:
            self.library.update(self.fd, _index(key), value)

    def sum_over_cpus(self, index: int) -> int:
        """Return the sum of an entry's numbers, one per CPU. Raises `OSError`."""
        size = -(-self.definition.value_size // 8) * 8
        values = self.library.lookup(self.fd, _index(index), size * self.library.possible_cpus())
        offsets = range(0, len(values), size)
        return sum(int.from_bytes(values[offset : offset + size], "little") for offset in offsets)

    def push(self, numbers: Iterable[int]) -> None:
        """Push numbers to a stack; the last one is its top. Raises `OSError`."""
        self.library.push(self.fd, numbers)

    def delete(self, key: bytes) -> None:
        """Delete an entry of a hash. Raises `OSError`."""
        self.library.delete(self.fd, key)

    def close(self) -> None:
        """Close it; the kernel keeps it while a program uses it."""
        os.close(self.fd)


class Ring:
    """A reader of a ring buffer, which delivers each record in turn."""

    def __init__(self, buffer: Map, take: Callable[[bytes], object]) -> None:
        """Map the buffer. Raises `BpfexitError` if the kernel refuses."""
        self.fd = buffer.fd
        self._take = take
        self._library = buffer.library
        self._sample = SAMPLE(self._sampled)  # the library keeps no reference
        try:
            self._ring = self._library.ring_buffer(buffer.fd, self._sample)
        except OSError as error:
            raise BpfexitError(
                f"the kernel refused the ring buffer {buffer.name} ({error.strerror}); "
                "is it out of memory?"
            ) from None

    def consume(self) -> None:
        """Deliver all records in the buffer."""
        self._library.consume(self._ring)

    def close(self) -> None:
        """Unmap the buffer, whose map is still open."""
        self._library.free_ring_buffer(self._ring)

    def _sampled(self, context: int | None, data: int, size: int) -> int:
        del context
        self._take(ctypes.string_at(data, size))
        return 0


def _index(index: int) -> bytes:
    return index.to_bytes(4, "little")
