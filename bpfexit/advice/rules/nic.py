"""Emulated network cards."""

from bpfexit.advice import devices, vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence, Where
from bpfexit.advice.rule import Rule
from bpfexit.events.mmio import MMIO
from bpfexit.events.pio import PIO

NAMES = ("e1000", "igb", "rtl8139", "pcnet", "ne2000", "eepro100", "tulip", "vmxnet3")
MIN_RATE = 1000.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to the registers of one."""
    named = evidence.device(MMIO, *NAMES) | evidence.device(PIO, *NAMES)
    return named | devices.ports_of(evidence, *NAMES)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise virtio-net."""
    del exits
    return Advice(
        title="The guest uses an emulated network card",
        changes=(
            *vmm.setting(
                evidence.guest,
                libvirt="<model type='virtio'/> in the <interface>",
                qemu="-device virtio-net-pci,netdev=… with -netdev tap,…,vhost=on",
                proxmox="qm set VMID --net0 virtio=MAC,bridge=vmbr0",
                openstack="openstack image set --property hw_vif_model=virtio IMAGE",
                kubevirt="spec.template.spec.domain.devices.interfaces[].model: virtio",
            ),
            Change(Where.GUEST, "Windows: install the virtio driver before the change"),
        ),
        expect="With vhost, packets bypass user space, and one notify serves many of them.",
        confidence=Confidence.HIGH if evidence.is_mapped(select(evidence)) else Confidence.MEDIUM,
        rationale=devices.rationale(evidence, select(evidence)),
        context=evidence.configuration.devices(*NAMES)[:3],
    )


RULE = Rule(
    name="nic",
    looks_for="accesses to an emulated network card (e1000, rtl8139 …)",
    select=select,
    min_rate=MIN_RATE,
    rationale="an idle interface makes tens; a thousand are some hundred packets per second",
    why="An emulated card takes several register accesses for each batch of packets and each "
    "interrupt, all served in user space on the vCPU's own thread.",
    advise=advise,
    remedy="virtio-net, with vhost.",
    limits="Known from the guest's memory map (--qmp, --libvirt), or if it is the only device "
    "on the command line that has ports.",
    references=("https://libvirt.org/formatdomain.html#network-interfaces",),
)
