"""A map's numbers and a ring's records, as the library has them."""

import ctypes
from collections.abc import Callable
from typing import Any

import pytest

from bpfexit.compiler.bundle import MapDefinition
from bpfexit.errors import BpfexitError
from bpfexit.tracer.libbpf import Libbpf
from bpfexit.tracer.maps import Map, Ring

PER_CPU = MapDefinition(kind=6, key_size=4, value_size=4, max_entries=1, flags=0)
NAMES = ("all_attached", "arrivals", "rows", "slots_full")
FD = 7


class Library(Libbpf):
    """Three CPUs, and one value, which `update` writes."""

    def __init__(self, value: bytes = b"", error: OSError | None = None) -> None:
        self.value, self.key, self.records = value, b"", [b"first", b"", b"third"]
        self._error = error

    def create_map(self, name: str, definition: MapDefinition) -> int:
        assert (name in NAMES, definition) == (True, PER_CPU)
        if self._error:
            raise self._error
        return FD

    def lookup(self, fd: int, key: bytes, size: int) -> bytes:
        assert (fd, key, size) == (FD, bytes(4), len(self.value))
        return self.value

    def update(self, fd: int, key: bytes | None, value: bytes) -> None:
        assert fd == FD
        self.key, self.value = key or b"", value

    def possible_cpus(self) -> int:
        return 3

    def ring_buffer(self, fd: int, sample: Callable[..., int]) -> int:
        assert fd == FD
        if self._error:
            raise self._error
        self.sample: Any = sample
        return 99

    def consume(self, ring: int) -> None:
        assert ring == 99
        for record in self.records:
            data = ctypes.create_string_buffer(record, len(record) or 1)
            assert self.sample(None, ctypes.addressof(data), len(record)) == 0


def test_each_cpu_has_a_number_in_eight_bytes() -> None:
    values = b"".join(number.to_bytes(8, "little") for number in (1, 0, 2**32 - 1))
    assert Map(Library(values), "slots_full", PER_CPU).sum_over_cpus(0) == 2**32


def test_a_number_is_written_in_the_bytes_that_a_value_has() -> None:
    library = Library()
    Map(library, "all_attached", PER_CPU).set(1, value=True)
    assert (library.key, library.value) == (b"\1\0\0\0", b"\1\0\0\0")


def test_each_record_is_handed_over_in_turn() -> None:
    taken: list[bytes] = []
    Ring(Map(Library(), "arrivals", PER_CPU), taken.append).consume()
    assert taken == [b"first", b"", b"third"]


def test_what_the_kernel_refuses_is_named() -> None:
    no_memory = OSError(12, "Cannot allocate memory")
    with pytest.raises(
        BpfexitError, match=r"the map rows \(Cannot allocate memory\); is it out of"
    ):
        Map(Library(error=no_memory), "rows", PER_CPU)
    library = Library()
    arrivals = Map(library, "arrivals", PER_CPU)
    library._error = no_memory
    with pytest.raises(BpfexitError, match=r"the ring buffer arrivals \(Cannot allocate memory\)"):
        Ring(arrivals, print)
