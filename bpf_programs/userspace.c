// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Time in user space (QEMU): from the kvm_fpu unload that KVM_RUN ends with to the
 * kvm_fpu load that the next one begins with. kvm_fpu(load) fires on every back end. Some
 * other ioctls of the vCPU load and unload the FPU as well: that time is not user space's.
 * returns_to_user() and add_user_time(), in backends/, decide what a trip counts for.
 */

static __always_inline void enter_user_space(void *task, struct vcpu *vcpu)
{
	vcpu->user_since = bpf_ktime_get_ns();
	vcpu->user_run_delay = run_delay(task);
	begin_user_blocked(vcpu, vcpu->user_run_delay);
}

int on_kvm_fpu(void *ctx)
{
	void *task = current_task();
	struct vcpu *vcpu = vcpu_of(task);
	if (!vcpu)
		return KEEP_EVENT;
	if (!ARGUMENT(0, u32, FPU_LOAD_OFFSET)) {
		if (returns_to_user(vcpu))
			enter_user_space(task, vcpu);
		return KEEP_EVENT;
	}
	if (!vcpu->user_since)
		return KEEP_EVENT;
	u64 ns = bpf_ktime_get_ns() - vcpu->user_since;
	vcpu->user_since = 0;
	u64 delay = run_delay(task);
	u64 wait_ns = delay - vcpu->user_run_delay;
	if (wait_ns)
		vcpu->user_wait_ns += wait_ns;
	end_user_blocked(vcpu, delay);
	add_user_time(vcpu, ns);
	return KEEP_EVENT;
}
