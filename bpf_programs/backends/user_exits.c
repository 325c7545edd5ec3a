// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * kvm_userspace_exit(reason, errno), where it takes the reason to know whether a trip to
 * user space serves an access. It fires after the FPU has been unloaded.
 */

int on_kvm_userspace_exit(void *ctx)
{
	void *task = current_task();
	struct vcpu *vcpu = vcpu_of(task);
	if (!vcpu)
		return KEEP_EVENT;
	u32 reason = ARGUMENT(0, u32, USERSPACE_EXIT_REASON_OFFSET);
	s32 error = ARGUMENT(1, s32, USERSPACE_EXIT_ERRNO_OFFSET);
	if (user_space_serves(vcpu, reason, error))
		enter_user_space(task, vcpu);
	return KEEP_EVENT;
}
