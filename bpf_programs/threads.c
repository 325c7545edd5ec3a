// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * The end of a vCPU's thread. Its task_struct may be reused by another thread. User
 * space then owns its slot and rows: it reads them once more and frees them.
 */

int on_sched_process_exit(void *ctx)
{
	struct vcpu *vcpu = current_vcpu();
	if (!vcpu)
		return KEEP_EVENT;
	u64 task = vcpu->task;
	slot_of_task.delete(&task);
	vcpu->end_ns = bpf_ktime_get_ns();
	vcpu->task = 0; /* after all that the thread has written (wire.h) */
	return KEEP_EVENT;
}
