// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* kvm_xen_hypercall(nr, ...): those of Xen, which KVM emulates since Linux 5.12. */

int on_kvm_xen_hypercall(void *ctx)
{
	struct vcpu *vcpu = current_vcpu();
	if (!vcpu)
		return KEEP_EVENT;
	note_target(vcpu, KIND_XEN_HYPERCALL, FIELD(XEN_HYPERCALL_NR));
	return KEEP_EVENT;
}
