// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * How often each event of KVM fires, by process. The loader adds a program for each event, which
 * calls count_event() with the event's number, and sets MAX_EVENT_COUNTS.
 *
 * The process is the one that runs as the event fires: for some (kvm_msi_set_irq, kvm_set_irq)
 * that is the injector of the interrupt, a vhost worker or QEMU, and not the vCPU.
 */

#define KEEP_EVENT 1 /* as in vcpu.h */

struct event_key {
	u32 process;
	u32 event;
};

/* Per CPU: vCPUs of one process count the same event at the same time. */
BPF_PERCPU_HASH(event_counts, struct event_key, u64, MAX_EVENT_COUNTS);

/* Events of processes that found the hash full. */
BPF_PERCPU_ARRAY(uncounted, u64, 1);

static __always_inline void count_uncounted(void)
{
	u32 zero = 0;
	u64 *number = uncounted.lookup(&zero);

	if (number)
		*number += 1;
}

static __always_inline int count_event(u32 event)
{
	struct event_key key = {.process = bpf_get_current_pid_tgid() >> 32, .event = event};
	u64 *number = event_counts.lookup(&key);
	u64 one = 1;

	if (number)
		*number += 1;
	else if (event_counts.update(&key, &one))
		count_uncounted();
	return KEEP_EVENT;
}
