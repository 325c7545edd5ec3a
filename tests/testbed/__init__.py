"""Debian kernels under QEMU's TCG, with an emulated AMD SVM.

`kernels` fetches them, `machine` boots one on this host's own file system and
runs a script inside, `python -m tests.testbed` does both from a shell.
"""
