"""Debian kernels on emulated hosts: AMD SVM under QEMU's TCG, Intel VMX under Bochs.

`kernels` fetches them, `machine` and `bochs` boot one and run a script inside, on
this host's own file system or on a copy of the checkout; `hosts` names both.
`python -m tests.testbed` does it from a shell.
"""
