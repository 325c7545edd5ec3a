// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * kvm_apic(rw, reg, val): a register of the local APIC. The same access raises kvm_mmio (before it
 * if it is a write, after it if it is a read) or, in x2APIC mode, kvm_msr.
 */

int on_kvm_apic(void *ctx)
{
	struct vcpu *vcpu = current_vcpu();
	if (!vcpu)
		return KEEP_EVENT;
	u64 access = FIELD(APIC_RW) ? ACCESS_WRITE : ACCESS_READ;
	note_target(vcpu, KIND_APIC | access, FIELD(APIC_REG));
	return KEEP_EVENT;
}
