/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Where an exit is counted: one row, found once, written once. */

/* The cached index that may be that of the current exit's row. */
static __always_inline u32 *cached_index(struct vcpu *vcpu)
{
	u64 i = ((vcpu->packed_key + vcpu->target) * HASH_MULTIPLIER) >> (64 - CACHED_ROW_BITS);

	barrier_var(i);
	return &vcpu->cache[i];
}

static __always_inline struct row *cached_row(struct vcpu *vcpu)
{
	struct row *row = rows.lookup(cached_index(vcpu));
	if (row && row->packed_key == vcpu->packed_key && row->target == vcpu->target)
		return row;
	return 0;
}

/*
 * vcpu->rows is raised before a row is taken: the sum over all vCPUs is never less than
 * the rows in use, which lie below it (see wire.h). The calls keep the order.
 */
static __always_inline int new_row(struct vcpu *vcpu, struct row_key *key, u32 *index)
{
	vcpu->rows += 1;
	if (free_rows.pop(index)) {
		vcpu->rows -= 1;
		return -1;
	}
	struct row *row = rows.lookup(index);
	if (!row)
		return -1;
	row->packed_key = key->packed_key;
	row->target = key->target;
	index_of_key.update(key, index);
	return 0;
}

/* Caches the index of the current exit's row for cached_row(); not if the map is full. */
static __always_inline void cache_row(struct vcpu *vcpu)
{
	struct row_key key = {.packed_key = vcpu->packed_key, .target = vcpu->target};
	u32 index;
	u32 *known = index_of_key.lookup(&key);

	if (known)
		index = *known;
	else if (new_row(vcpu, &key, &index))
		return;
	*cached_index(vcpu) = index;
}

#ifdef KIND_RIP
/*
 * A guest exits at more places than there are rows: once a vCPU has MAX_RIPS rows, the exits at
 * further places are counted together.
 */
static __always_inline void bound_rips(struct vcpu *vcpu)
{
	struct row_key key = {.packed_key = vcpu->packed_key, .target = vcpu->target};

	if ((vcpu->packed_key & KIND_MASK) != KIND_RIP || vcpu->rows < MAX_RIPS)
		return;
	if (!index_of_key.lookup(&key))
		vcpu->target = OTHER_RIPS;
}
#else
#define bound_rips(vcpu)
#endif

/*
 * The row of the current exit; null if the map is full. Looking again after the rare
 * miss keeps the usual path free of values that have to survive calls.
 */
static __always_inline struct row *current_row(struct vcpu *vcpu)
{
	struct row *row = cached_row(vcpu);
	if (row)
		return row;
	bound_rips(vcpu);
	cache_row(vcpu);
	barrier();
	return cached_row(vcpu);
}

/* barrier_var() makes clang branch; its selects would take twice the instructions. */
#define LOG2_STEP(bits)                                                                            \
	if (top >= 4ULL << (bits)) {                                                               \
		top >>= (bits);                                                                    \
		shift += (bits);                                                                   \
		barrier_var(shift);                                                                        \
	}

static __always_inline void count_far(struct row *row, u64 ns)
{
	u64 i = HIST_OVERFLOW;

	if (!(ns >> HIST_TOP_SHIFT)) {
		u64 top = ns >> HIST_UNIT_SHIFT; /* its three highest bits, in the end */
		u64 shift = 0;
		LOG2_STEP(16)
		LOG2_STEP(8)
		LOG2_STEP(4)
		LOG2_STEP(2)
		LOG2_STEP(1)
		i = (shift << 2) + top;
	}
	barrier_var(i);
	row->hist[i & (HIST_SIZE - 1)] += 1;
}

static __always_inline void count_in_histogram(struct row *row, u64 ns)
{
	u64 units = ns >> HIST_UNIT_SHIFT;

	if (units >= NEAR_UNITS) {
		count_far(row, ns);
		return;
	}
	barrier_var(units);
	u64 i = VCPUS->bucket_of[units & (NEAR_UNITS - 1)];
	barrier_var(i);
	row->hist[i & (HIST_SIZE - 1)] += 1;
}

static __always_inline void count_user_wait(struct row *row, struct vcpu *vcpu)
{
	if (!vcpu->user_wait_ns)
		return;
	row->user_wait_ns += vcpu->user_wait_ns;
	vcpu->user_wait_ns = 0;
}

static __always_inline void add_to_busy_user_time(struct vcpu *vcpu)
{
	vcpu->busy_user_ns += vcpu->user_ns - vcpu->user_wait_ns;
}

static __always_inline void count_user_time(struct row *row, struct vcpu *vcpu)
{
	add_to_busy_user_time(vcpu);
	row->user_count += 1;
	row->user_ns += vcpu->user_ns;
	vcpu->user_ns = 0;
	count_user_wait(row, vcpu);
	count_user_blocked(row, vcpu);
}

/*
 * Begins a count, which takes the time in user space and ends with end_count(). Null if
 * the map is full.
 */
static __always_inline struct row *begin_count(struct vcpu *vcpu)
{
	struct row *row = current_row(vcpu);
	if (!row) {
		vcpu->map_full += 1;
		add_to_busy_user_time(vcpu);
		vcpu->user_ns = vcpu->user_wait_ns = 0;
		barrier(); /* or clang merges it with the increment of seq, on every path */
		return 0;
	}
	row->seq += 1;
	barrier();
	if (vcpu->user_ns)
		count_user_time(row, vcpu);
	return row;
}

static __always_inline void end_count(struct row *row)
{
	barrier();
	row->seq += 1;
}

/* All of an idle exit is idle time, but for what its thread waited: in user space, too. */
static __always_inline void add_to_idle_time(struct vcpu *vcpu, u64 ns)
{
	vcpu->idle_ns += ns;
	vcpu->busy_user_ns -= vcpu->user_ns - vcpu->user_wait_ns; /* count_user_time() adds it */
}

#ifdef KIND_HALT
static __always_inline void count_polling(struct row *row, struct vcpu *vcpu)
{
	row->poll_ns += vcpu->poll_ns;
}
#else
#define count_polling(row, vcpu)
#endif

/* Counts the exit in progress, which has now ended by an entry, and in which its thread waited. */
static __always_inline void count_exit(struct vcpu *vcpu, u64 ns, u64 wait_ns)
{
	if (wait_ns)
		vcpu->wait_ns += wait_ns;
	if (IDLE_REASON(REASON_OF(vcpu)))
		add_to_idle_time(vcpu, ns - wait_ns);
	struct row *row = begin_count(vcpu);
	if (!row)
		return;
	row->total_ns += ns;
	if (wait_ns)
		row->wait_ns += wait_ns;
	count_blocked(row, vcpu);
	count_polling(row, vcpu);
	if (ns > row->max_ns)
		row->max_ns = ns;
	count_in_histogram(row, ns);
	end_count(row);
}

/* Counts an exit, or an access, whose latency is not known. */
static __always_inline void count_without_latency(struct vcpu *vcpu)
{
	struct row *row = begin_count(vcpu);
	if (!row)
		return;
	row->no_latency += 1;
	end_count(row);
}
