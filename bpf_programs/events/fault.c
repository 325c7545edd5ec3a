// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * kvm_page_fault(vcpu, fault_address, error_code): the code is the exit's qualification on VMX. In
 * both, bit 1 is a write.
 */

#define FAULT_WRITE 2
#define GPA_RANGE (1ULL << 30)

int on_kvm_page_fault(void *ctx)
{
	struct vcpu *vcpu = current_vcpu();
	if (!vcpu)
		return KEEP_EVENT;
	u64 code = FIELD(PAGE_FAULT_ERROR_CODE);
	u64 access = code & FAULT_WRITE ? ACCESS_WRITE : ACCESS_READ;
#ifdef KIND_GPA
	note_target(vcpu, KIND_GPA | access, FIELD(PAGE_FAULT_FAULT_ADDRESS) & -GPA_RANGE);
#else
	note_target(vcpu, KIND_FAULT | access, code);
#endif
	return KEEP_EVENT;
}
