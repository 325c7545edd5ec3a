// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * kvm_userspace_exit(reason, errno): why KVM_RUN returns. With an error, the reason is that of an
 * earlier one: -EINTR is a signal (KVM_EXIT_INTR), and another error stands above all reasons.
 */

#define KVM_EXIT_INTR 10
#define EINTR 4

int on_kvm_userspace_exit(void *ctx)
{
	struct vcpu *vcpu = current_vcpu();
	if (!vcpu)
		return KEEP_EVENT;
	u64 reason = FIELD(USERSPACE_EXIT_REASON);
	s32 error = FIELD(USERSPACE_EXIT_ERRNO);
	if (error == -EINTR)
		reason = KVM_EXIT_INTR;
	else if (error < 0)
		reason = USERSPACE_ERROR - error;
	note_target(vcpu, KIND_USERSPACE, reason);
	return KEEP_EVENT;
}
