"""What a person reads while the testbed boots, which takes a minute on a busy machine."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY_S = 5.0


@contextmanager
def waiting(
    release: str, say: Callable[[str], object], every_s: float = EVERY_S
) -> Iterator[Callable[[], None]]:
    """Say every few seconds that a kernel boots, until what this yields is called."""
    booted, begun = threading.Event(), time.monotonic()

    def elapsed() -> str:
        return f"{time.monotonic() - begun:.0f} s"

    def tell() -> None:
        while not booted.wait(every_s):
            say(f"testbed: still booting, {elapsed()}")

    def on_booted() -> None:
        if not booted.is_set():
            booted.set()
            say(f"testbed: booted in {elapsed()}")

    say(f"testbed: booting Linux {release} on an emulated CPU")
    teller = threading.Thread(target=tell)
    teller.start()
    try:
        yield on_booted
    finally:
        booted.set()
        teller.join()
