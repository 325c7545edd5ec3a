"""The output of bcc as a bundle: bcc's objects exist in this process alone."""

import ctypes
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bpfexit.compiler.bundle import (
    VCPUS,
    Bundle,
    Field,
    Layout,
    MapDefinition,
    Program,
    loads_of_maps,
    with_values,
)

_FORMATS: dict[Any, str] = {
    ctypes.c_ubyte: "u1",
    ctypes.c_ushort: "u2",
    ctypes.c_uint: "u4",
    ctypes.c_ulong: "u8",  # ctypes has one type for it and for c_ulonglong
}


def bundle_of(bcc: Any, bpf: Any) -> Bundle:
    """Return the programs, maps and layouts of `bpf`, the object of bcc that has compiled them."""
    library, module = bcc.lib, bpf.module
    library.bpf_table_name.restype = ctypes.c_char_p  # the binding has no use for it
    library.bpf_table_name.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    programs = [
        library.bpf_function_name(module, i) for i in range(library.bpf_num_functions(module))
    ]
    tables = [library.bpf_table_name(module, i) for i in range(library.bpf_num_tables(module))]
    fds = {name.decode(): int(library.bpf_table_fd(module, name)) for name in tables}
    names = {fd: name for name, fd in fds.items()}
    return Bundle(
        bcc=str(bcc.__version__),
        programs={name.decode(): unlinked(bpf.dump_func(name), names) for name in programs},
        maps={name: _map_definition(fd) for name, fd in fds.items()},
        layouts={kind.__name__: layout(kind) for kind in _structs(bpf, tables)},
    )


def unlinked(instructions: bytes, names: dict[int, str]) -> Program:
    """Return the program with names for its maps; `names` are those of descriptors here."""
    loads = list(loads_of_maps(instructions))
    maps = {index: VCPUS if of_value else names[fd] for index, of_value, fd in loads}
    return Program(with_values(instructions, dict.fromkeys(maps, 0)), maps)


def layout(kind: type[ctypes.Structure]) -> Layout:
    """Return the layout of a struct of unsigned numbers and arrays of them."""
    fields = {}
    for name, member, *_ in kind._fields_:
        number, count = getattr(member, "_type_", None), getattr(member, "_length_", 1)
        item = number if isinstance(number, type) else member
        fields[name] = Field(getattr(kind, name).offset, _FORMATS[item], count)
    return Layout(ctypes.sizeof(kind), fields)


def _map_definition(fd: int) -> MapDefinition:
    """Return the definition of a map that bcc has made, as the kernel reports it."""
    lines = Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines()
    values = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    names = ("map_type", "key_size", "value_size", "max_entries", "map_flags")
    return MapDefinition(*(int(values[name], 0) for name in names))


def _structs(bpf: Any, tables: list[bytes]) -> Iterator[type[ctypes.Structure]]:
    """Yield the structs that are keys or values of maps."""
    for name in tables:
        table = bpf[name]
        for kind in (getattr(table, "Key", None), table.Leaf):
            if isinstance(kind, type) and issubclass(kind, ctypes.Structure):
                yield kind
