"""The start of `bpfexit top`, part by part: what `tests.bench.startup` runs in fresh processes.

`python -m tests.bench.starting TIME` takes the monotonic time at which it was started, and
prints seconds by part as JSON.
"""

import time

_RUNNING = time.monotonic()  # before any import of what it measures

PARTS = {
    "checks of the host": ("bpfexit.run.session.preflight.ready",),
    "compiling (bcc and clang, a child process)": ("bpfexit.tracer.loading.compile_text",),
    "looking into the cache": (
        "bpfexit.tracer.loading.cache_key",
        "bpfexit.tracer.loading.cache.load",
    ),
    "maps and loading (verifier)": ("bpfexit.tracer.loading.Programs",),
    "attaching": ("bpfexit.tracer.loader.Programs.attach",),
}


def main() -> None:
    """Start, print, end."""
    import json  # noqa: PLC0415
    import sys  # noqa: PLC0415

    from bpfexit.commands import top  # noqa: F401, PLC0415
    from bpfexit.model.filter import Filter  # noqa: PLC0415
    from bpfexit.run.session import live_source  # noqa: PLC0415

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
    print(json.dumps(parts))


if __name__ == "__main__":
    main()
