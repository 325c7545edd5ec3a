// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * kvm_inj_virq(vector, ...): an interrupt for the guest, right before its entry: what the exit in
 * progress ends with. APICv and AVIC deliver without it.
 */

int on_kvm_inj_virq(void *ctx)
{
	struct vcpu *vcpu = current_vcpu();
	if (!vcpu)
		return KEEP_EVENT;
	note_target(vcpu, KIND_INJECTED, FIELD(INJ_VIRQ_VECTOR));
	return KEEP_EVENT;
}
