// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * The end of a vCPU's thread. Its task_struct will be another thread's; its slot
 * and its rows are user space's from then on, to read once more and to give back.
 */

int on_sched_process_exit(void *ctx)
{
	struct vcpu *vcpu = current_vcpu();
	if (!vcpu)
		return KEEP_EVENT;
	u64 task = vcpu->task;
	slot_of_task.delete(&task);
	vcpu->task = 0; /* after all that the thread has written (wire.h) */
	return KEEP_EVENT;
}
