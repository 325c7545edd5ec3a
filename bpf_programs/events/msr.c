// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* kvm_msr(write, ecx, data, exception): the same from Linux 5.10 to 7.2. */

int on_kvm_msr(void *ctx)
{
	struct vcpu *vcpu = vcpu_of_access(1);
	if (!vcpu)
		return KEEP_EVENT;
	u32 write = ARGUMENT(0, u32, MSR_WRITE_OFFSET);
	note_access(vcpu, access_of(KIND_MSR, write, 0), ARGUMENT(1, u32, MSR_ECX_OFFSET));
	return KEEP_EVENT;
}
