// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* kvm_hv_hypercall(code, fast, ...): those of Hyper-V. */

int on_kvm_hv_hypercall(void *ctx)
{
	struct vcpu *vcpu = current_vcpu();
	if (!vcpu)
		return KEEP_EVENT;
	note_target(vcpu, KIND_HV_HYPERCALL, FIELD(HV_HYPERCALL_CODE));
	return KEEP_EVENT;
}
