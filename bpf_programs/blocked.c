// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * sched_switch(preempt, prev, next, ...): a vCPU's thread goes to sleep, or is on a CPU again. It
 * fires for every switch of the host, with interrupts off: all but those of vCPUs must be cheap.
 */

/*
 * The vCPU of a thread, or null. As vcpu_of(), but the hash is looked into only where another
 * vCPU has the hint of this thread, not for each thread that is none.
 */
static __always_inline struct vcpu *vcpu_of_any(u64 key)
{
	struct vcpu *vcpu = vcpu_in(*slot_hint(key));

	if (vcpu->task == key)
		return vcpu;
	if (slot_hint_index(vcpu->task) != slot_hint_index(key))
		return 0;
	u32 *slot = slot_of_task.lookup(&key);
	return slot ? vcpu_in(*slot) : 0;
}

/* A thread that is preempted waits for a CPU; it is asleep if it is in another state than running. */
static __always_inline void leave_cpu(void *task, struct vcpu *vcpu, u32 is_preempted)
{
	u64 delay = run_delay(task);

	split_sleep(vcpu, delay);
	if (is_preempted || !*(volatile u32 *)(task + TASK_STATE_OFFSET))
		return;
	vcpu->asleep_run_delay = delay;
	vcpu->asleep_since = bpf_ktime_get_ns();
}

static __always_inline void take_cpu(struct vcpu *vcpu)
{
	if (!vcpu->asleep_since)
		return;
	vcpu->asleep_ns = bpf_ktime_get_ns() - vcpu->asleep_since;
	vcpu->asleep_since = 0;
}

int on_sched_switch(struct raw_args *ctx)
{
	void *task = current_task(); /* it is the previous one still */
	u64 key = key_of_task(task);
	struct vcpu *vcpu = vcpu_of_any(key);

	if (vcpu)
		leave_cpu(task, vcpu, (u8)ctx->args[0]);
	vcpu = vcpu_of_any(key + (ctx->args[2] - ctx->args[1]));
	if (vcpu)
		take_cpu(vcpu);
	return KEEP_EVENT;
}
