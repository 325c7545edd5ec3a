"""A thread without signals: the main thread handles them."""

import signal
from threading import Thread

_HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGWINCH)


def start_without_signals(thread: Thread) -> None:
    """Start a thread to which the kernel does not deliver handled signals.

    Python runs handlers in the main thread, but a signal that is delivered to another
    thread does not interrupt the wait of the main thread.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
    try:
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
