"""Field cases of devices and of other VMMs than QEMU, and their twins."""

import pytest

from bpfexit.advice.finding import Finding
from bpfexit.events.access import Access
from tests.unit.advice.cases import CASES, VFIO, VMX, pio, seen
from tests.unit.advice.recordings import causes, diagnosed, fixes, found, recording, rules, twin
from tests.unit.builders import Exits

VIRTIO = (("cpu", "host"), ("device", "virtio-net-pci,netdev=n0"))


def places(finding: Finding) -> set[str]:
    return {change.where.value for change in finding.advice.changes}


def test_a_cloud_hypervisor_guest_gets_its_own_options() -> None:
    case = recording("12")
    (finding,) = found(case).values()
    assert finding.share == pytest.approx(0.054, abs=0.0005)
    assert places(finding) == {"guest", "Cloud Hypervisor"}
    assert "console=hvc0" in fixes(finding)
    assert "--serial off" in fixes(finding)
    assert not any("qemu" in page or "libvirt" in page for page in finding.references)


@pytest.mark.parametrize(
    ("guest", "where", "text"),
    [
        ({"vmm": "qemu"}, {"guest", "libvirt", "QEMU"}, "virtconsole"),
        ({"vmm": "qemu", "manager": "proxmox"}, {"guest", "Proxmox"}, "qm set VMID --args"),
        ({"vmm": "qemu", "manager": "kubevirt"}, {"guest", "KubeVirt"}, "autoattachSerialConsole"),
        ({"vmm": "crosvm"}, {"guest", "crosvm"}, "virtio-console"),
        ({"vmm": "firecracker"}, {"guest", "Firecracker"}, "boot_args"),
        ({"vmm": ""}, {"guest"}, "console=hvc0"),
    ],
)
def test_the_same_exits_of_another_vmm(guest: dict[str, str], where: set[str], text: str) -> None:
    finding = found(twin(recording("12"), guest=guest))["serial"]
    assert places(finding) == where
    assert text in fixes(finding)


def test_a_clock_on_openstack_is_an_image_property() -> None:
    case = twin(recording("05"), guest={"manager": "openstack"})
    timer = found(case)["pm-timer"]
    assert places(timer) == {"guest", "OpenStack"}
    assert "os_type=windows" in fixes(timer)
    (image,) = (change for change in timer.advice.changes if change.where.value == "OpenStack")
    assert "rebuilt server" in image.note
    assert "hv-synic" not in fixes(timer)


def test_a_managers_set_for_windows_is_not_advised_where_its_synic_inhibits_avic() -> None:
    on = {"parameters": {"kvm_intel.enable_apicv": "Y"}}
    proxmox = twin(recording("05"), guest={"manager": "proxmox"}, options=())
    assert "--ostype win11" in fixes(found(proxmox)["pm-timer"])
    assert "--ostype" not in fixes(found(twin(proxmox, facts=on))["pm-timer"])
    openstack = twin(recording("05"), guest={"manager": "openstack"}, options=(), facts=on)
    assert "hv-synic, which it turns on" in fixes(found(openstack)["pm-timer"])
    kubevirt = twin(recording("02-hv-vapic-with-apicv.3"), guest={"manager": "kubevirt"})
    assert "synictimer: {}" in fixes(found(kubevirt)["hpet"])
    assert "inhibits APIC virtualization" in fixes(found(kubevirt)["hpet"])


def test_openstack_turns_on_no_synthetic_timers() -> None:
    case = twin(recording("03-rtc-storm-avic-on"), guest={"manager": "openstack"})
    case = twin(case, options=(("cpu", "host,hv-time=on"),))
    assert "os_type" not in fixes(found(case)["rtc"])


@pytest.mark.parametrize(
    ("name", "rule", "share", "text"),
    [
        ("hda", "audio", 0.0112, "virtio-sound"),
        ("xhci", "usb", 0.0112, "info usb"),
        ("vfio-bar", "passthrough", 0.027, "MSI or MSI-X"),
        ("vfio-msix", "passthrough", 0.042, "smp_affinity"),
        ("pio-notify", "virtio-user-notify", 0.027, "ioeventfd=on"),
    ],
)
def test_names_of_maps(name: str, rule: str, share: float, text: str) -> None:
    case = recording(f"19-names-of-maps.{name}")
    (finding,) = found(case).values()
    assert finding.rule == rule
    assert finding.share == pytest.approx(share, abs=0.0005)
    assert text in fixes(finding)
    assert "paravirtual device" not in fixes(finding)


def test_xhci_is_not_replaced_by_xhci_and_a_tablet_only_where_there_is_one() -> None:
    case = recording("19-names-of-maps.xhci")
    assert "tablet" not in fixes(found(case)["usb"])
    tablet = twin(case, options=(("cpu", "host"), ("device", "usb-tablet")))
    finding = found(tablet)["usb"]
    assert "virtio-tablet-pci" in fixes(finding)
    assert "qemu-xhci" not in fixes(finding)
    assert "UHCI" not in finding.advice.expect
    assert "qemu-xhci" in fixes(found(recording("27-16bit-port-writes.uhci"))["usb"])


def test_what_keeps_a_bar_from_being_mapped() -> None:
    case = recording("19-names-of-maps.vfio-bar")
    finding = found(case)["passthrough"]
    assert "INTx" in causes(finding)
    assert "x-no-geforce-quirks" not in fixes(finding)
    assert "x-no-kvm-intx" not in fixes(finding)
    options = (("cpu", "host"), ("device", "vfio-pci,host=01:00.0,x-no-mmap=on"))
    assert "without x-no-mmap=on" in fixes(found(twin(case, options=options))["passthrough"])
    quirk = found(seen(CASES["passthrough"].exits(VMX, 1_000, 20_000), regions=(VFIO,)))
    assert "x-no-geforce-quirks" in fixes(quirk["passthrough"])
    assert quirk["passthrough"].advice.candidates == ()


def test_notifies_that_user_space_serves_have_several_causes_unless_an_option_says_so() -> None:
    case = recording("19-names-of-maps.pio-notify")
    finding = found(case)["virtio-user-notify"]
    assert "firmware" in causes(finding)
    assert "virtio-gpu" in causes(finding)
    assert finding.advice.confidence.value == "low"
    off = twin(case, options=(("cpu", "host"), ("device", "virtio-net-pci,ioeventfd=off")))
    said = found(off)["virtio-user-notify"].advice
    assert (said.confidence.value, said.candidates) == ("high", ())


def test_a_sound_card_goes_without_a_version() -> None:
    case = recording("19-names-of-maps.hda")
    none, _, virtio, _ = found(case)["audio"].advice.changes
    assert (none.text, none.since) == ("no <sound>", "")
    assert ("virtio" in virtio.text, virtio.since) == (True, "QEMU 8.2")
    proxmox = found(twin(case, guest={"manager": "proxmox"}))["audio"].advice.changes
    assert [(change.text, change.since) for change in proxmox] == [
        ("qm set VMID --delete audio0", "")
    ]


def test_the_tables_of_an_emulated_device_are_not_those_of_a_passed_through_one() -> None:
    case = twin(recording("19-names-of-maps.vfio-msix"), options=VIRTIO)
    assert rules(case) == ["msix-table"]


def test_what_the_map_calls_something_else_is_another_device() -> None:
    case = twin(recording("19-names-of-maps.hda"), guest={"regions": (), "mapped_by": None})
    assert rules(case) == ["user-device"]


def test_a_notify_in_a_64_bit_bar_is_one_with_and_without_the_map() -> None:
    case = recording("19-names-of-maps.notify-64bit")
    without = twin(case, guest={"regions": (), "mapped_by": None}, options=VIRTIO)
    for each in (case, without):
        assert diagnosed(each).findings == ()
        assert [expected.rule for expected in diagnosed(each).expected] == ["virtio-notify"]


@pytest.mark.parametrize(
    ("name", "places_", "text", "share"),
    [
        ("20", {"QEMU"}, "microvm,pcie=on", 0.108),
        ("35", {"Firecracker"}, "--enable-pci", 0.056),
    ],
)
def test_virtio_mmio_interrupts_ask_for_pci(
    name: str, places_: set[str], text: str, share: float
) -> None:
    finding = found(recording(name))["virtio-mmio"]
    assert finding.share == pytest.approx(share, abs=0.0005)
    assert places(finding) == places_
    assert text in fixes(finding)
    assert {line.name.text for line in finding.lines if line.name} == {
        "virtio-mmio ISR",
        "virtio-mmio interrupt ack",
    }
    assert [each.rule for each in diagnosed(recording(name)).expected] == ["virtio-notify"]


def test_the_layout_of_one_vmm_is_not_that_of_another() -> None:
    other = twin(recording("35"), guest={"vmm": "cloud-hypervisor"})
    assert "virtio-mmio" not in rules(other)
    assert "virtio-mmio" not in rules(twin(recording("20"), guest={"vmm": "firecracker"}))


@pytest.mark.parametrize(
    ("name", "rule", "text"),
    [
        ("27-16bit-port-writes.rtl8139", "nic", "virtio-net-pci"),
        ("27-16bit-port-writes.uhci", "usb", "usb-tablet"),
    ],
)
def test_nothing_is_called_virtio_without_a_virtio_device(name: str, rule: str, text: str) -> None:
    case = recording(name)
    (finding,) = found(case).values()
    assert finding.rule == rule
    assert text in fixes(finding)
    assert diagnosed(case).expected == ()
    virtio = twin(case, options=VIRTIO)
    assert "virtio-user-notify" in rules(virtio)
    assert rule not in rules(virtio)


def test_a_busy_main_loop_is_a_hint_of_the_command_line_alone() -> None:
    options = (("machine", "pc"), ("cpu", "host"), ("device", "piix3-usb-uhci"))
    quiet = recording("03-rtc-storm-avic-on.after")
    tablet = diagnosed(twin(quiet, options=(*options, ("device", "usb-tablet"))))
    assert [hint.rule for hint in tablet.hints] == ["main-loop"]
    assert tablet.hints[0].advice.confidence.value == "low"
    assert "usb-tablet" in fixes(tablet.hints[0])
    assert tablet.findings == ()
    assert diagnosed(twin(quiet, options=options)).hints == ()
    windows = (("machine", "pc-q35-9.0"), ("cpu", "host,hv-time=on,hv-stimer=on"))
    assert "hpet=off" in fixes(diagnosed(twin(quiet, options=windows)).hints[0])
    off = (("machine", "pc-q35-9.0,hpet=off"), windows[1])
    assert diagnosed(twin(quiet, options=off)).hints == ()


def test_delays_by_a_port_are_not_a_debug_console() -> None:
    def debug(port: int, *options: tuple[str, str]) -> Finding:
        about = {"ns": (10_000,) * 20_000, "user_ns": (8_000,) * 20_000}
        exits = Exits("IO_INSTRUCTION", **{**about, **pio(port, Access.WRITE)})
        return found(seen(exits, options=options))["debug-port"]

    assert "io_delay=none" in fixes(debug(0x80))
    assert "isa-debugcon" not in fixes(debug(0x80))
    console = debug(0x402, ("device", "isa-debugcon,iobase=0x402"))
    assert "io_delay" not in fixes(console)
    assert "remove -device isa-debugcon" in fixes(console)
    assert "debug console" in console.advice.title
