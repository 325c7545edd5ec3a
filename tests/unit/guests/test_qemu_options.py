"""QEMU's options: what machine it is, and never a secret, a path or an address."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.guests.qemu_options import CUT, LONGEST, MOST, MOST_CHARACTERS, Options, qemu_options
from tests.unit.fake_processes import put

PID = 4711


def options(root: Path, *arguments: str) -> Options:
    put(root, PID, "/usr/bin/qemu-system-x86_64", *arguments)
    return qemu_options(PID, root)


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (("-machine", "pc-q35-8.0,usb=off,hpet=off"), ("machine", "pc-q35-8.0,usb=off,hpet=off")),
        (("-M", "pc"), ("machine", "pc")),
        (("--machine", "q35"), ("machine", "q35")),
        (("-cpu", "host,+vmx,hv-time=on,hv_vapic"), ("cpu", "host,+vmx,hv-time=on,hv_vapic")),
        (("-accel", "kvm,kernel-irqchip=split"), ("accel", "kvm,kernel-irqchip=split")),
        (("-enable-kvm",), ("enable-kvm", "")),
        (("-no-hpet",), ("no-hpet", "")),
        (("-smp", "2,sockets=2"), ("smp", "2,sockets=2")),
        (("-m", "size=4194304k"), ("m", "size=4194304k")),
        (
            ("-global", "kvm-pit.lost_tick_policy=delay"),
            ("global", "kvm-pit.lost_tick_policy=delay"),
        ),
        (("-overcommit", "mem-lock=off,cpu-pm=on"), ("overcommit", "mem-lock=off,cpu-pm=on")),
        (("-rtc", "base=utc,driftfix=slew"), ("rtc", "base=utc,driftfix=slew")),
        (
            ("-drive", "file=/secret/place,format=raw,if=ide,password-secret=s0"),
            ("drive", "format=raw,if=ide"),
        ),
        (("-netdev", "tap,fd=28,vhost=on,vhostfd=30,id=net0"), ("netdev", "tap,vhost=on")),
        (("-netdev", '{"type":"user","id":"n","restrict":true}'), ("netdev", "user")),
        (("-nic", "user,model=e1000,hostfwd=tcp::22-:22"), ("nic", "user,model=e1000")),
        (("-serial", "unix:/run/a.sock,server=on"), ("serial", "unix")),
        (("-serial", "chardev:charserial0"), ("serial", "chardev")),
        (("-serial", "stdio"), ("serial", "stdio")),
        (
            ("-device", "virtio-blk-pci,drive=d0,disable-modern=on,addr=5,serial=S3CR3T"),
            ("device", "virtio-blk-pci,drive=d0,disable-modern=on,addr=5"),
        ),
        (
            (
                "-device",
                '{"driver":"virtio-net-pci","host_mtu":1500,"mq":true,"packed":false,'
                '"netdev":"hostnet0","id":"net0","mac":"52:54:00:00:00:01"}',
            ),
            ("device", "virtio-net-pci,host_mtu=1500,mq=on,packed=off,netdev=hostnet0,id=net0"),
        ),
        (("-device", "driver=e1000,netdev=n"), ("device", "e1000,netdev=n")),
        (
            ("-device", "isa-debugcon,iobase=0x402,chardev=c"),
            ("device", "isa-debugcon,iobase=0x402,chardev=c"),
        ),
        (("-netdev", "type=user,id=n"), ("netdev", "user")),
        (("-device", "isa-applesmc,osk=abc"), ("device", "isa-applesmc")),
        (("-device", '{"driver":"vfio-pci","host":{"a":"/x"}}'), ("device", "vfio-pci")),
        (("-device", '{"driver"'), ("device", "")),
    ],
)
def test_what_machine_it_is(
    tmp_path: Path, arguments: tuple[str, ...], found: tuple[str, str]
) -> None:
    assert options(tmp_path, *arguments) == (found,)


SECRETS = [
    ("-object", "secret,id=s0,data=hunter2"),
    ("-object", '{"qom-type":"secret","id":"masterKey0","data":"hunter2"}'),
    ("-vnc", ":0,password=on,password-secret=hunter2"),
    ("-spice", "port=5900,password=hunter2"),
    ("-chardev", "socket,id=c,path=/run/hunter2"),
    ("-fw_cfg", "name=opt/x,string=hunter2"),
    ("-smbios", "type=1,serial=hunter2"),
    ("-append", "root=/dev/vda token=hunter2"),
    ("-kernel", "/boot/hunter2"),
    ("-drive", "file=https://user:hunter2@host/x,if=virtio"),
    ("-drive", "file=rbd:pool/x:key=hunter2"),
    ("-device", "usb-storage,serial=hunter2"),
    ("-device", "isa-applesmc,osk=hunter2"),
    ("-machine", "pc,memory-encryption-key=hunter2"),
    ("-global", "isa-applesmc.osk=hunter2"),
    ("-global", "driver=isa-applesmc,property=osk,value=hunter2"),
    ("-serial", "tcp:hunter2:4444"),
    ("-netdev", "user,id=n,guestfwd=hunter2"),
    ("-uuid", "hunter2"),
    ("-incoming", "tcp:hunter2"),
    ("-name", "hunter2"),
    ("hunter2",),
]


@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_is_kept(tmp_path: Path, secret: tuple[str, ...]) -> None:
    found = options(tmp_path, "-m", "64", *secret, "-smp", "2")
    assert "hunter2" not in str(found)
    assert (found[0], found[-1]) == (("m", "64"), ("smp", "2"))


def test_they_come_in_their_order_and_flags_take_no_value(tmp_path: Path) -> None:
    found = options(tmp_path, "-S", "-no-hpet", "-nodefaults", "-m", "64", "disk.img", "-M", "pc")
    assert [name for name, _ in found] == ["no-hpet", "nodefaults", "m", "machine"]


def test_too_many_and_too_long_are_cut_and_say_so(tmp_path: Path) -> None:
    found = options(tmp_path, *(["-device", "e1000"] * (MOST + 1)))
    assert len(found) == MOST + 1
    assert found[-1] == CUT
    assert options(tmp_path, *(["-device", "e1000"] * MOST))[-1] == ("device", "e1000")
    ((_, value),) = options(tmp_path, "-cpu", "host" + ",+vmx" * LONGEST)
    assert len(value) == LONGEST
    assert value.endswith("…")


def test_all_values_together_are_bounded(tmp_path: Path) -> None:
    value = "host" + ",+vmx" * 600
    found = options(tmp_path, *(["-cpu", value] * 200))
    assert sum(len(value) for _, value in found) <= MOST_CHARACTERS
    assert found[-1] == CUT
    assert len(found) == MOST_CHARACTERS // len(value) + 1


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
NAMES = st.sampled_from(["-device", "-cpu", "-M", "-drive", "-netdev", "-serial", "-no-hpet"])


@given(st.lists(NAMES | WORDS | st.builds('{{"driver":{}}}'.format, WORDS)))
def test_no_command_line_breaks_it(
    tmp_path_factory: pytest.TempPathFactory, arguments: list[str]
) -> None:
    for name, value in options(tmp_path_factory.mktemp("root"), *arguments):
        assert (name + value).isascii()
        assert (name + value).isprintable()
