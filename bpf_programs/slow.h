/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Single slow exits, through a ring buffer (Linux 5.8). Compiled in only when they
 * are asked for: SLOW_NS is the threshold, SLOW_RATE how many a vCPU reports per
 * second at most, SLOW_PAGES the buffer's size. Those not reported are counted.
 */
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

/* `ns` from exit to entry, 0 where that is not known; `user_ns` of it in user space. */
static __always_inline void emit_if_slow(struct vcpu *vcpu, u64 ns, u64 user_ns)
{
	if ((ns < SLOW_NS && user_ns < SLOW_NS) || IDLE_REASON(REASON_OF(vcpu)))
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
		.user_ns = user_ns,
		.process_start = vcpu->process_start,
		.vcpu_id = vcpu->vcpu_id,
		.isa = vcpu->isa,
	};
	/* No wake-up: user space looks at its own pace. */
	if (slow_exits.ringbuf_output(&event, sizeof(event), BPF_RB_NO_WAKEUP))
		vcpu->slow_dropped += 1;
}
#else
#define emit_if_slow(vcpu, ns, user_ns)
#endif
