// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* kvm_hypercall(nr, a0, a1, a2, a3): KVM's own hypercalls. */

int on_kvm_hypercall(void *ctx)
{
	struct vcpu *vcpu = current_vcpu();
	if (!vcpu)
		return KEEP_EVENT;
	note_target(vcpu, KIND_HYPERCALL, FIELD(HYPERCALL_NR));
	return KEEP_EVENT;
}
