// SPDX-License-Identifier: GPL-2.0
/*
 * The requests of uapi/linux/goheap.h: copying in and out, checking.
 *
 * Dispatch is by _IOC_NR.  The size that is part of the number is not looked
 * at: every structure says its own, so that it can grow.
 *
 * Order of the checks: no such request (ENOTTY), not the opener (EPERM), the
 * structure (EFAULT, EINVAL, E2BIG), the spans, and last whether the arena is
 * mapped (ENXIO).
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "arena.h"

#ifdef GOHEAP_TRACK_NOFAULT
#define FEATURES_TRACK	(GOHEAP_FEATURE_TRACK | GOHEAP_FEATURE_TRACK_NOFAULT)
#else
#define FEATURES_TRACK	GOHEAP_FEATURE_TRACK
#endif

/* What GOHEAP_IOC_INFO says can be asked for. */
#define FEATURES	(GOHEAP_FEATURE_POLICY | GOHEAP_FEATURE_SCAVENGER | FEATURES_TRACK | \
			 GOHEAP_FEATURE_FORK)

/* Batches up to this long are copied to the stack. */
#define SPANS_ON_STACK	32

/*
 * Copy a structure in.  Its first field is its size as the caller knows it:
 * at least @min, and with nothing but zeroes where it is larger than @ksize.
 * Returns the caller's size or an error.
 */
static __always_inline long copy_request(void *to, size_t ksize, size_t min,
					 const void __user *arg)
{
	u32 usize;
	int err;

	if (get_user(usize, (const u32 __user *)arg))
		return -EFAULT;
	if (usize < min)
		return -EINVAL;
	if (usize > PAGE_SIZE)
		return -E2BIG;
	if (likely(usize == ksize))	/* the same, but the length is constant */
		err = copy_from_user(to, arg, ksize) ? -EFAULT : 0;
	else
		err = copy_struct_from_user(to, ksize, arg, usize);
	return err ? err : (long)usize;
}

/* Copy a structure out, as much as both sides know; its size field says so. */
static long copy_reply(void __user *arg, size_t usize, const void *from,
		       size_t ksize)
{
	return copy_to_user(arg, from, min(usize, ksize)) ? -EFAULT : 0;
}

static bool all_zero(const u64 *reserved, unsigned int n)
{
	while (n--)
		if (reserved[n])
			return false;
	return true;
}

static long ioctl_info(struct arena *a, void __user *arg)
{
	struct goheap_info info;
	long usize = copy_request(&info, sizeof(info),
				  offsetofend(struct goheap_info, reserved), arg);

	if (usize < 0)
		return usize;
	if (info.flags || !all_zero(info.reserved, ARRAY_SIZE(info.reserved)))
		return -EINVAL;

	info = (struct goheap_info) {
		.size		= min_t(size_t, usize, sizeof(info)),
		.abi_version	= GOHEAP_ABI_VERSION,
		.page_shift	= GOHEAP_PAGE_SHIFT,
		.chunk_shift	= GOHEAP_CHUNK_SHIFT,
		.batch_max	= GOHEAP_BATCH_MAX,
		.arena_bytes_max = GOHEAP_ARENA_BYTES_MAX,
		.features	= FEATURES,
	};
	mutex_lock(&a->lock);
	if (a->state == ARENA_MAPPED) {
		info.arena_start = a->base;
		info.arena_bytes = a->bytes;
	}
	mutex_unlock(&a->lock);
	return copy_reply(arg, usize, &info, sizeof(info));
}

static long ioctl_spans(struct arena *a, void __user *arg, bool alloc)
{
	struct goheap_span_batch __user *ubatch = arg;
	struct goheap_span on_stack[SPANS_ON_STACK] __uninitialized;
	struct goheap_span __user *uspans;
	struct span_request rq = { .a = a };
	struct goheap_span_batch batch __uninitialized;
	long ret;

	ret = copy_request(&batch, sizeof(batch),
			   offsetofend(struct goheap_span_batch, reserved), arg);
	if (ret < 0)
		return ret;
	if (batch.flags || batch.reserved[0] || batch.reserved[1] ||
	    !batch.count || batch.count > GOHEAP_BATCH_MAX)
		return -EINVAL;

	uspans = u64_to_user_ptr(batch.spans);
	rq.spans = on_stack;
	rq.count = batch.count;
	rq.bad_index = batch.count;
	if (batch.count > SPANS_ON_STACK) {
		rq.spans = kvmalloc_array(batch.count, sizeof(*rq.spans), GOHEAP_GFP);
		if (!rq.spans) {
			mutex_lock(&a->lock);
			a->enomem++;
			mutex_unlock(&a->lock);
			return -ENOMEM;
		}
	}

	ret = span_copy_in(&rq, uspans);
	if (!ret)
		ret = alloc ? span_check_alloc(&rq) : span_check_free(&rq);
	if (!ret)
		ret = alloc ? span_alloc(&rq, uspans) : span_free(&rq);
	/* EFAULT for this is as good an answer: the request has failed anyway. */
	if (ret && rq.bad_index < rq.count && put_user(rq.bad_index, &ubatch->bad_index))
		ret = -EFAULT;

	if (rq.spans != on_stack)
		kvfree(rq.spans);
	return ret;
}

static long ioctl_span_alloc(struct arena *a, void __user *arg)
{
	return ioctl_spans(a, arg, true);
}

static long ioctl_span_free(struct arena *a, void __user *arg)
{
	return ioctl_spans(a, arg, false);
}

static long ioctl_release(struct arena *a, void __user *arg)
{
	struct goheap_release __user *urelease = arg;
	struct goheap_release rel;
	u64 npages;
	bool mapped;
	long ret;

	ret = copy_request(&rel, sizeof(rel),
			   offsetofend(struct goheap_release, reserved), arg);
	if (ret < 0)
		return ret;
	if (rel.flags & ~GOHEAP_RELEASE_KEEP ||
	    !all_zero(rel.reserved, ARRAY_SIZE(rel.reserved)))
		return -EINVAL;
	/* Find out that the reply cannot be written before anything is done. */
	if (put_user(rel.bytes, &urelease->bytes))
		return -EFAULT;

	mutex_lock(&a->lock);
	mapped = a->state == ARENA_MAPPED;
	mutex_unlock(&a->lock);
	if (!mapped)
		return -ENXIO;

	npages = (rel.bytes >> GOHEAP_PAGE_SHIFT) +
		 !!(rel.bytes & (GOHEAP_PAGE_SIZE - 1));
	npages = arena_release(a, npages, rel.flags & GOHEAP_RELEASE_KEEP,
			       RELEASE_REQUEST);
	return put_user(npages << GOHEAP_PAGE_SHIFT, &urelease->bytes);
}

static long ioctl_stats(struct arena *a, void __user *arg)
{
	struct goheap_arena_stats st;
	long usize = copy_request(&st, sizeof(st),
				  offsetofend(struct goheap_arena_stats, reserved), arg);

	if (usize < 0)
		return usize;
	if (st.flags || !all_zero(st.reserved, ARRAY_SIZE(st.reserved)))
		return -EINVAL;

	arena_stats(a, &st);
	st.size = min_t(size_t, usize, sizeof(st));
	return copy_reply(arg, usize, &st, sizeof(st));
}

static long ioctl_track(struct arena *a, void __user *arg)
{
	struct goheap_track tr;
	long ret;

	ret = copy_request(&tr, sizeof(tr), offsetofend(struct goheap_track, reserved), arg);
	if (ret < 0)
		return ret;
	if (tr.flags & ~GOHEAP_TRACK_STOP ||
	    !all_zero(tr.reserved, ARRAY_SIZE(tr.reserved)))
		return -EINVAL;
	return tr.flags & GOHEAP_TRACK_STOP ? track_end(a) : track_begin(a);
}

static long ioctl_collect(struct arena *a, void __user *arg)
{
	struct goheap_dirty __user *udirty = arg;
	struct goheap_dirty d;
	u64 count;
	long usize, ret;

	usize = copy_request(&d, sizeof(d), offsetofend(struct goheap_dirty, reserved), arg);
	if (usize < 0)
		return usize;
	if (d.flags || !all_zero(d.reserved, ARRAY_SIZE(d.reserved)) || !d.bytes ||
	    d.addr & ~PAGE_MASK || d.bytes & ~PAGE_MASK)
		return -EINVAL;
	ret = track_check(a, d.addr, d.bytes);
	if (ret)
		return ret;
	/* Find out that the reply cannot be written before anything is done. */
	if (put_user(d.pages, &udirty->pages))
		return -EFAULT;

	ret = track_collect(a, d.addr, d.bytes, u64_to_user_ptr(d.bitmap), &count);
	if (ret)
		return ret;
	d.pages = count;
	d.size = min_t(size_t, usize, sizeof(d));
	ret = copy_reply(arg, usize, &d, sizeof(d));
	if (ret)
		track_undo(a, d.addr, d.bytes);
	return ret;
}

static long ioctl_settings(struct arena *a, void __user *arg)
{
	struct goheap_settings set;
	long usize = copy_request(&set, sizeof(set),
				  offsetofend(struct goheap_settings, reserved), arg);
	int err;

	if (usize < 0)
		return usize;
	if (set.flags || set.reserved0 ||
	    !all_zero(set.reserved, ARRAY_SIZE(set.reserved)))
		return -EINVAL;
	err = settings_check(&set);
	if (err)
		return err;
	/* Find out that the reply cannot be written before anything is done. */
	if (copy_reply(arg, usize, &set, sizeof(set)))
		return -EFAULT;

	settings_apply(a, &set);
	set.size = min_t(size_t, usize, sizeof(set));
	return copy_reply(arg, usize, &set, sizeof(set));
}

static long ioctl_cycle(struct arena *a, void __user *arg)
{
	struct goheap_cycle cy;
	long usize = copy_request(&cy, sizeof(cy),
				  offsetofend(struct goheap_cycle, reserved), arg);
	bool mapped;

	if (usize < 0)
		return usize;
	if (cy.flags || !cy.heap_goal || !all_zero(cy.reserved, ARRAY_SIZE(cy.reserved)))
		return -EINVAL;
	if (copy_reply(arg, usize, &cy, sizeof(cy)))
		return -EFAULT;

	mutex_lock(&a->lock);
	mapped = a->state == ARENA_MAPPED;
	if (mapped) {
		cy.interval = scavenge_cycle(a, cy.heap_goal, ktime_get_ns());
		cy.retain_goal = scavenge_goal_bytes(a);
		cy.pressure = pressure_answer(a);
	}
	mutex_unlock(&a->lock);
	if (!mapped)
		return -ENXIO;
	cy.size = min_t(size_t, usize, sizeof(cy));
	return copy_reply(arg, usize, &cy, sizeof(cy));
}

static long arena_request(struct arena *a, unsigned int nr, void __user *uarg)
{
	switch (nr) {
	case _IOC_NR(GOHEAP_IOC_SPAN_ALLOC):
		return ioctl_span_alloc(a, uarg);
	case _IOC_NR(GOHEAP_IOC_SPAN_FREE):
		return ioctl_span_free(a, uarg);
	case _IOC_NR(GOHEAP_IOC_RELEASE):
		return ioctl_release(a, uarg);
	case _IOC_NR(GOHEAP_IOC_STATS):
		return ioctl_stats(a, uarg);
	case _IOC_NR(GOHEAP_IOC_TRACK):
		return ioctl_track(a, uarg);
	case _IOC_NR(GOHEAP_IOC_COLLECT):
		return ioctl_collect(a, uarg);
	case _IOC_NR(GOHEAP_IOC_SETTINGS):
		return ioctl_settings(a, uarg);
	case _IOC_NR(GOHEAP_IOC_CYCLE):
		return ioctl_cycle(a, uarg);
	default:
		return ioctl_info(a, uarg);
	}
}

/**
 * arena_ioctl() - ioctl() of /dev/goheap
 * @file: the heap's file
 * @cmd: the request
 * @arg: address of its structure
 *
 * Return: 0 or an error, as uapi/linux/goheap.h says.
 */
long arena_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct heap *h = file->private_data;
	struct arena *a;
	bool known;
	long ret;

	known = _IOC_TYPE(cmd) == GOHEAP_IOC_MAGIC &&
		_IOC_DIR(cmd) == (_IOC_READ | _IOC_WRITE) &&
		_IOC_NR(cmd) >= _IOC_NR(GOHEAP_IOC_INFO) &&
		_IOC_NR(cmd) <= _IOC_NR(GOHEAP_IOC_COLLECT);
	if (!known)
		return -ENOTTY;
	a = heap_find_arena(h);
	if (!a)
		return -EPERM;
	ret = arena_request(a, _IOC_NR(cmd), (void __user *)arg);
	heap_release_arena(h, a);
	return ret;
}
