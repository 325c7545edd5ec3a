"""A thread that takes no signals: the main thread has their handlers."""

import signal
from threading import Thread

_HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGWINCH)


def start_without_signals(thread: Thread) -> None:
    """Start a thread that the kernel delivers no handled signal to.

    Python runs handlers in the main thread, but a signal that another thread takes
    does not interrupt what the main thread waits for.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
    try:
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
