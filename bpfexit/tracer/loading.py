"""The programs of a plan in the kernel, compiled or from the cache."""

import importlib.util
import json
import os
from contextlib import suppress
from pathlib import Path

from bpfexit.compiler import document
from bpfexit.compiler.bundle import Bundle
from bpfexit.errors import BpfexitError
from bpfexit.tracer import cache
from bpfexit.tracer import plan as programs
from bpfexit.tracer.compiling import compile_text, flags_of
from bpfexit.tracer.libbpf import open_libbpf
from bpfexit.tracer.loader import Programs
from bpfexit.version import __version__


def load(plan: programs.Plan, tracefs_root: Path, *, anew: bool = False) -> Programs:
    """Load the programs; with `anew`, compile them in any case. Raises `BpfexitError`."""
    library = open_libbpf()
    text, flags = programs.text(plan.files), flags_of(plan)
    key = cache_key(text, flags)
    cached = cache.load(key) if key and not anew else None
    if cached:
        with suppress(document.DocumentError, BpfexitError):
            return Programs(library, plan, document.decode(cached), tracefs_root)
    bundle = compile_text(text, flags)
    loaded = Programs(library, plan, bundle, tracefs_root)
    if key:
        cache.store(key, document.encode(bundle))
    return loaded


def compiled(text: str, flags: list[str]) -> Bundle:
    """Return what a text compiles to, from the cache if it has that. Raises `BpfexitError`."""
    key = cache_key(text, flags)
    cached = cache.load(key) if key else None
    if cached:
        with suppress(document.DocumentError):
            return document.decode(cached)
    bundle = compile_text(text, flags)
    if key:
        cache.store(key, document.encode(bundle))
    return bundle


def cache_key(text: str, flags: list[str]) -> bytes | None:
    """Return everything that a compilation depends on; None without bcc."""
    binding = _binding()
    if binding is None:
        return None
    system = os.uname()
    headers = [path.read_text() for path in sorted((programs.folder() / "headers").rglob("*.h"))]
    parts = [
        *(document.FORMAT, __version__, binding),
        *(system.release, system.version, system.machine),
        *(headers, text, flags),
    ]
    return json.dumps(parts).encode()


def _binding() -> list[str | int] | None:
    """Return which bcc is installed, without importing it: its path, size and time."""
    spec = importlib.util.find_spec("bcc")
    if spec is None or not spec.origin:
        return None
    try:
        status = os.stat(spec.origin)
    except OSError:
        return None
    return [spec.origin, status.st_size, status.st_mtime_ns]
