// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * kvm_vcpu_wakeup(ns, waited, valid): a halt ends. KVM has polled for its end, or has let the
 * thread sleep (waited), or the one after the other.
 *
 * kvm_halt_poll_ns(grow, vcpu_id, new, old), right before it: how long KVM polls at most from now
 * on (new), and polled until now (old; 0: not at all). It is raised after each poll in vain, which
 * makes the next one longer or shorter, and otherwise only by halts that did not poll. So without
 * it, a halt that slept did not poll; or it was shorter than the limit, and KVM ended the poll after
 * an unknown time because another task wanted the CPU. That time is left out.
 */

#define HALT_POLLED 1
#define HALT_SLEPT 2

/* A limit may be 0: one more than it is not. */
#define WITH_FLAG(limit) ((limit) + 1)

int on_kvm_halt_poll_ns(void *ctx)
{
	struct vcpu *vcpu = current_vcpu();
	if (!vcpu)
		return KEEP_EVENT;
	vcpu->poll_limit_before = WITH_FLAG(FIELD(HALT_POLL_NS_OLD));
	vcpu->poll_limit = WITH_FLAG(FIELD(HALT_POLL_NS_NEW));
	return KEEP_EVENT;
}

/* What is not known is as long as the halt. */
static __always_inline u64 within(u64 limit, u64 ns)
{
	return limit && limit - 1 < ns ? limit - 1 : ns;
}

static __always_inline u64 polled_ns(struct vcpu *vcpu, u64 ns, u64 slept)
{
	if (vcpu->poll_limit_before)
		return within(vcpu->poll_limit_before, ns);
	return slept ? 0 : within(vcpu->poll_limit, ns);
}

/* Of several in an exit, as by a signal that takes the thread to user space, the last one counts. */
int on_kvm_vcpu_wakeup(void *ctx)
{
	struct vcpu *vcpu = current_vcpu();
	if (!vcpu || !vcpu->exit_ns)
		return KEEP_EVENT;
	u64 slept = FIELD(VCPU_WAKEUP_WAITED);
	u64 poll_ns = polled_ns(vcpu, FIELD(VCPU_WAKEUP_NS), slept);
	vcpu->poll_ns += poll_ns;
	vcpu->poll_limit_before = 0;
	note_target(vcpu, KIND_HALT, 0);
	vcpu->target = (poll_ns ? HALT_POLLED : 0) | (slept ? HALT_SLEPT : 0);
	return KEEP_EVENT;
}
