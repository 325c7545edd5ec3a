"""The start of `bpfexit top`, part by part: what `tests.bench.startup` runs in fresh processes.

`python -m tests.bench.starting TIME` takes the monotonic time at which it was started, and
prints seconds by part as JSON.
"""

import time

_RUNNING = time.monotonic()  # before any import of what it measures

PARTS = {
    "checks of the host": ("bpfexit.run.session.preflight.ready",),
    "import of bcc": ("bpfexit.tracer.source.import_bcc",),
    "compiling (clang)": ("bpfexit.tracer.loader.compiled",),
    "loading (verifier)": ("bpfexit.tracer.loader.Programs.load",),
    "attaching": ("bpfexit.tracer.loader.Programs.attach",),
}


def main() -> None:
    """Start, print, end."""
    import json  # noqa: PLC0415
    import sys  # noqa: PLC0415

    from bpfexit.commands import top  # noqa: F401, PLC0415
    from bpfexit.model.filter import Filter  # noqa: PLC0415
    from bpfexit.run.session import live_source  # noqa: PLC0415
    from bpfexit.tracer.binding import import_bcc  # noqa: PLC0415
    from bpfexit.tracer.compiler import shielded  # noqa: PLC0415

    imported = time.monotonic()
    from tests.bench.stopwatch import timing  # noqa: PLC0415

    with timing(PARTS, time.monotonic) as took:
        begun = time.monotonic()
        source = live_source(Filter())
        attached = time.monotonic()
    parts = {
        "interpreter": _RUNNING - float(sys.argv[1]),
        "imports (click, rich, numpy, our own)": imported - _RUNNING,
        **took,
    }
    parts["everything else"] = attached - begun - sum(took.values())
    source.close()
    begun = time.monotonic()
    with shielded():
        import_bcc().BPF(text="int nothing(void *ctx) { return 0; }")
    parts["to compare: compiling an empty program"] = time.monotonic() - begun
    print(json.dumps(parts))


if __name__ == "__main__":
    main()
