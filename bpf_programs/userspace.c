// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Time in user space (QEMU): from kvm_userspace_exit to the kvm_fpu load that
 * the next KVM_RUN begins with. Both fire on every back end. Some other ioctls of
 * the vCPU load and unload the FPU as well: that time is not user space's.
 * kvm_userspace_exit(reason, errno), kvm_fpu(load). What a trip counts for is
 * said by user_space_serves(), returns_to_user() and add_user_time(), in
 * backends/.
 */

int on_kvm_userspace_exit(void *ctx)
{
	struct vcpu *vcpu = current_vcpu();
	if (!vcpu)
		return KEEP_EVENT;
	u32 reason = ARGUMENT(0, u32, USERSPACE_EXIT_REASON_OFFSET);
	s32 error = ARGUMENT(1, s32, USERSPACE_EXIT_ERRNO_OFFSET);
	if (user_space_serves(vcpu, reason, error))
		vcpu->user_since = bpf_ktime_get_ns();
	return KEEP_EVENT;
}

int on_kvm_fpu(void *ctx)
{
	struct vcpu *vcpu = current_vcpu();
	if (!vcpu)
		return KEEP_EVENT;
	if (!ARGUMENT(0, u32, FPU_LOAD_OFFSET)) {
		if (returns_to_user(vcpu))
			vcpu->user_since = bpf_ktime_get_ns();
		return KEEP_EVENT;
	}
	if (!vcpu->user_since)
		return KEEP_EVENT;
	u64 ns = bpf_ktime_get_ns() - vcpu->user_since;
	vcpu->user_since = 0;
	add_user_time(vcpu, ns);
	return KEEP_EVENT;
}
