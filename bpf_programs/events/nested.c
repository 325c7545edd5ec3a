// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* kvm_nested_vmexit(vcpu, isa): an exit of a nested guest (L2), by its code. */

int on_kvm_nested_vmexit(void *ctx)
{
	struct vcpu *vcpu = current_vcpu();
	if (!vcpu)
		return KEEP_EVENT;
	note_target(vcpu, KIND_NESTED, FIELD(NESTED_VMEXIT_EXIT_REASON));
	return KEEP_EVENT;
}
