"""`bpfexit testguest` with a timer that fires again while the handler of a halt's wake-up returns.

On QEMU's TCG that interrupt can come between `sti` and the return, which hardware rules out.
"""

from bpfexit.cli import main
from bpfexit.testguest import program

SHORT_NS = 5_000
"""From the handler's start of the timer to its interrupt, in ns: as long as an exit takes."""

if __name__ == "__main__":
    program.LATE_NS = SHORT_NS
    main()
