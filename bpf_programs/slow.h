/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Single slow exits, through a ring buffer (Linux 5.8). Compiled in only when they
 * are asked for: SLOW_NS is the threshold, SLOW_RATE how many a vCPU reports per
 * second at most, SLOW_PAGES the buffer's size. Those not reported are counted.
 */

/* The time in user space of the exit in progress, which counting it clears. */
struct in_user {
	u64 ns;
	u64 wait_ns;
	u64 blocked_ns;
};

static __always_inline struct in_user time_in_user(struct vcpu *vcpu)
{
	return (struct in_user){
		.ns = vcpu->user_ns,
		.wait_ns = vcpu->user_wait_ns,
		.blocked_ns = USER_BLOCKED_NS(vcpu),
	};
}

#ifdef SLOW_NS
BPF_RINGBUF_OUTPUT(slow_exits, SLOW_PAGES);

/* A second is 2^30 ns here. */
static __always_inline int ratelimit_ok(struct vcpu *vcpu, u64 now)
{
	u64 second = now >> 30;

	if (vcpu->slow_second != second) {
		vcpu->slow_second = second;
		vcpu->slow_reported = 0;
	}
	if (vcpu->slow_reported >= SLOW_RATE) {
		vcpu->slow_limited += 1;
		return 0;
	}
	vcpu->slow_reported += 1;
	return 1;
}

/* `ns` from exit to entry, and waiting for a CPU in it; 0 where that is not known. */
static __always_inline void emit_if_slow(struct vcpu *vcpu, u64 ns, u64 wait_ns,
					 struct in_user in_user)
{
	if ((ns < SLOW_NS && in_user.ns < SLOW_NS) || IDLE_REASON(REASON_OF(vcpu)))
		return;
	u64 now = bpf_ktime_get_ns();
	if (!ratelimit_ok(vcpu, now))
		return;
	struct slow_exit event = {
		.owner = vcpu->owner,
		.packed_key = vcpu->packed_key,
		.target = vcpu->target,
		.rip = vcpu->rip,
		.end_ns = now,
		.ns = ns,
		.user_ns = in_user.ns,
		.wait_ns = wait_ns,
		.user_wait_ns = in_user.wait_ns,
		.blocked_ns = BLOCKED_NS(vcpu),
		.user_blocked_ns = in_user.blocked_ns,
		.process_start = vcpu->process_start,
		.vcpu_id = vcpu->vcpu_id,
		.isa = vcpu->isa,
	};
	/* No wake-up: user space looks at its own pace. */
	if (slow_exits.ringbuf_output(&event, sizeof(event), BPF_RB_NO_WAKEUP))
		vcpu->slow_dropped += 1;
}
#else
#define emit_if_slow(vcpu, ns, wait_ns, in_user)
#endif
