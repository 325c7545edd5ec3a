// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* kvm_cpuid(function, index, rax, rbx, rcx, rdx, found, used_max_basic): a leaf, its subleaves together. */

int on_kvm_cpuid(void *ctx)
{
	struct vcpu *vcpu = current_vcpu();
	if (!vcpu)
		return KEEP_EVENT;
	note_target(vcpu, KIND_CPUID, FIELD(CPUID_FUNCTION));
	return KEEP_EVENT;
}
