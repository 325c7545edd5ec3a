// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* kvm_cr(rw, cr, val): a control register. */

int on_kvm_cr(void *ctx)
{
	struct vcpu *vcpu = current_vcpu();
	if (!vcpu)
		return KEEP_EVENT;
	u64 access = FIELD(CR_RW) ? ACCESS_WRITE : ACCESS_READ;
	note_target(vcpu, KIND_CR | access, FIELD(CR_CR));
	return KEEP_EVENT;
}
