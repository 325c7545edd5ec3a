// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* kvm_vmgexit_enter(vcpu_id, ghcb): what an SEV-ES guest asks for (Linux 5.11); an access that follows says more. */

int on_kvm_vmgexit_enter(void *ctx)
{
	struct vcpu *vcpu = current_vcpu();
	if (!vcpu)
		return KEEP_EVENT;
	note_target(vcpu, KIND_VMGEXIT, FIELD(VMGEXIT_ENTER_EXIT_REASON));
	return KEEP_EVENT;
}
