"""A real QEMU whose boot sector starts every other processor, again and again."""

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tests.integration.qemu import IMAGE_BYTES, PM_TIMER

OTHERS_PORT = 0x61
"""What the other processors read all the time."""

_START = 0x7C00
_OTHERS_AT = 0x8000
_ICR = (0xFEE00300).to_bytes(4, "little").hex()
_INIT, _STARTUP = 0x000C4500, 0x000C4600 | _OTHERS_AT >> 12  # to all but itself
_READS = 2000

_OTHERS = bytes.fromhex(f"e4{OTHERS_PORT:02x}ebfc")  # in al, OTHERS_PORT; jmp to it
_FLAT = bytes.fromhex("0000000000000000ffff00000092cf00")  # a data segment of 4 GiB


def _send(command: int) -> str:
    """Write to the interrupt command register, and read the timer for a while."""
    return (
        f"6766c705{_ICR}{command.to_bytes(4, 'little').hex()}"  # mov dword [ICR], command
        f"66b9{_READS.to_bytes(4, 'little').hex()}"  # mov ecx, READS
        f"ba{PM_TIMER.to_bytes(2, 'little').hex()}"  # mov dx, PM_TIMER
        "66ed"  # in eax, dx
        "6649"  # dec ecx
        "75fa"  # jnz to the in
    )


def _boot_sector() -> bytes:
    loop = bytes.fromhex(_send(_INIT) + _send(_STARTUP))
    back = (-len(loop) - 3).to_bytes(2, "little", signed=True)
    others, table = _START + 0x100, _START + 0x120
    code = bytes.fromhex(
        "fa"  # cli
        "31c08ed88ec0"  # xor ax, ax; mov ds, ax; mov es, ax
        f"be{others.to_bytes(2, 'little').hex()}"  # mov si, others
        f"bf{_OTHERS_AT.to_bytes(2, 'little').hex()}"  # mov di, OTHERS_AT
        "b90400fcf3a4"  # mov cx, 4; cld; rep movsb
        f"0f0116{table.to_bytes(2, 'little').hex()}"  # lgdt [table]
        "0f20c00c010f22c0"  # protected mode
        "bb08008edb"  # mov bx, 8; mov ds, bx: all 4 GiB, from now on
        "24fe0f22c0"  # and back
    )
    code += loop + b"\xe9" + back  # jmp to the loop
    descriptor = (len(_FLAT) - 1).to_bytes(2, "little") + (table + 6).to_bytes(4, "little")
    sector = code.ljust(0x100, b"\0") + _OTHERS.ljust(0x20, b"\0") + descriptor + _FLAT
    return sector.ljust(510, b"\0") + b"\x55\xaa"


@contextmanager
def running(folder: Path, name: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Run it with one processor and room for a second; yield it and its QMP socket."""
    image, monitor = folder / "boot.img", folder / "qmp.sock"
    image.write_bytes(_boot_sector().ljust(IMAGE_BYTES, b"\0"))
    command = [
        *("qemu-system-x86_64", "-name", name, "-accel", "kvm", "-machine", "pc", "-m", "64"),
        *("-smp", "1,maxcpus=2", "-nodefaults", "-display", "none"),
        *("-drive", f"file={image},format=raw,if=ide"),
        *("-qmp", f"unix:{monitor},server=on,wait=off"),
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            yield process, monitor
        finally:
            process.terminate()


def plug_a_processor(monitor: Path) -> None:
    """Add the one that there is room for."""
    with closing(socket.socket(socket.AF_UNIX)) as connection:
        connection.settimeout(60)
        connection.connect(str(monitor))
        with connection.makefile("rw") as stream:
            stream.readline()  # the greeting
            _answer(stream, "qmp_capabilities")
            places = _answer(stream, "query-hotpluggable-cpus")
            (free,) = [each for each in places if "qom-path" not in each]
            _answer(stream, "device_add", driver=free["type"], id="more", **free["props"])


def _answer(stream: Any, command: str, **arguments: object) -> Any:
    stream.write(json.dumps({"execute": command, "arguments": arguments}))
    stream.flush()
    while True:
        answer = json.loads(stream.readline())
        assert "error" not in answer, answer
        if "return" in answer:
            return answer["return"]
