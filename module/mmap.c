// SPDX-License-Identifier: GPL-2.0
/*
 * The VMA: one for the arena's whole life and length, never split, moved or
 * executable.
 *
 * Everything that would split it (a partial munmap() or mprotect()) or move it
 * (mremap()) is refused with EINVAL.  What the user may do to all of it, or to
 * the page tables below it, does no harm: a page that MADV_DONTNEED took out of
 * the page tables is put back by the fault handler if a span owns it; every
 * other fault is SIGBUS.
 *
 * A forked child inherits it, with an arena of its own behind it (fork.c), unless
 * MADV_DONTFORK says otherwise.  From then on both are in shared mode: other
 * vm_operations, with page_mkwrite(), and pages are mapped read-only unless the
 * one who maps them knows better (cow.c, map_insert()).  The plain ones do not
 * have page_mkwrite(), because its mere presence makes all that is mapped
 * read-only at first.
 */
#include <linux/fs.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "arena.h"
#include "compat.h"
#include "trace.h"

/*
 * In @vma's mm a copy of the VMA came into being: in the arena's own inside
 * mremap(), before arena_vma_mremap() refuses it; in another by fork().
 */
static void arena_vma_open(struct vm_area_struct *vma)
{
	struct arena *a = vma->vm_private_data;

	if (!a || vma->vm_mm != a->mm) {
		arena_fork(vma);
		return;
	}
	mutex_lock(&a->lock);
	a->vmas++;
	mutex_unlock(&a->lock);
}

static void arena_vma_close(struct vm_area_struct *vma)
{
	struct arena *a = vma->vm_private_data;
	bool last;

	if (!a)
		return;

	mutex_lock(&a->lock);
	last = !--a->vmas;
	mutex_unlock(&a->lock);
	if (!last)
		return;
	arena_detach(a);
	/* The opener's belongs to the file, a forked child's to its VMA. */
	if (a != a->heap->root)
		arena_put(a);
}

static int arena_vma_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	return -EINVAL;
}

static int arena_vma_mremap(struct vm_area_struct *vma)
{
	return -EINVAL;
}

/**
 * arena_pfn() - what a span owns at an offset
 * @a: the arena
 * @pgoff: the offset, system pages
 *
 * Return: where the page's number is kept, or NULL if no span owns one there.
 */
u32 *arena_pfn(struct arena *a, pgoff_t pgoff)
{
	u64 page = (u64)pgoff / SUBPAGES;
	struct chunk *c;
	unsigned int i;

	lockdep_assert_held(&a->lock);

	if (a->state != ARENA_MAPPED ||
	    page >> PALLOC_CHUNK_SHIFT >= a->palloc.nr_chunks)
		return NULL;
	c = arena_chunk(a, page);
	i = page & (PALLOC_CHUNK_PAGES - 1);
	/* Released or unmapped but used: in transit, nobody's yet. */
	if (!test_bit(i, c->pc.used) || test_bit(i, c->pc.released) ||
	    test_bit(i, c->unmapped))
		return NULL;
	return &c->pfn[i * SUBPAGES + pgoff % SUBPAGES];
}

static vm_fault_t arena_vma_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct arena *a = vma->vm_private_data;
	struct mem_cgroup *old;
	enum fault_result result = FAULT_FAILED;
	vm_fault_t ret;
	u32 *pfn;
	int err;

	/*
	 * userfaultfd (from 6.7 on also asynchronous, on any VMA) leaves markers
	 * in empty entries, so nothing could be inserted; to say so each time
	 * would have the access tried for ever.
	 */
	if (vma->vm_flags & VM_UFFD_WP)
		return VM_FAULT_SIGBUS;

	/*
	 * The lock is held until the page is mapped, so that a release either
	 * comes before and is seen here, or comes after and unmaps it.
	 */
	mutex_lock(&a->lock);
	pfn = arena_pfn(a, vmf->pgoff);
	if (!pfn) {
		a->bad_faults++;
		result = FAULT_OUTSIDE;
		ret = VM_FAULT_SIGBUS;
		goto out;
	}

	old = set_active_memcg(a->memcg);
	err = vm_insert_page(vma, vmf->address & PAGE_MASK, pfn_to_page(*pfn));
	set_active_memcg(old);
	switch (err) {
	case 0:
		a->faults++;
		fallthrough;
	case -EBUSY:		/* another thread was faster */
		result = FAULT_SERVED;
		ret = VM_FAULT_NOPAGE;
		break;
	case -ENOMEM:
		ret = VM_FAULT_OOM;
		break;
	default:
		ret = VM_FAULT_SIGBUS;
	}
out:
	mutex_unlock(&a->lock);
	trace_goheap_fault(a, vmf->address, vmf->flags & FAULT_FLAG_WRITE, result);
	return ret;
}

static const struct vm_operations_struct arena_vm_ops = {
	.open		= arena_vma_open,
	.close		= arena_vma_close,
	.may_split	= arena_vma_may_split,
	.mremap		= arena_vma_mremap,
	.fault		= arena_vma_fault,
};

static const struct vm_operations_struct arena_vm_ops_shared = {
	.open		= arena_vma_open,
	.close		= arena_vma_close,
	.may_split	= arena_vma_may_split,
	.mremap		= arena_vma_mremap,
	.fault		= arena_fault_shared,
	.page_mkwrite	= arena_mkwrite,
};

/**
 * arena_vma_set_shared() - change between shared and plain mode
 * @vma: the arena's VMA
 * @shared: whether relatives may own its pages too
 *
 * Context: the mmap_lock is held for writing.
 */
void arena_vma_set_shared(struct vm_area_struct *vma, bool shared)
{
	/* Nothing to change there, but it keeps faults out that hold less. */
	vm_flags_set(vma, 0);
	vma->vm_ops = shared ? &arena_vm_ops_shared : &arena_vm_ops;
	WRITE_ONCE(vma->vm_page_prot,
		   shared ? vm_get_page_prot(vma->vm_flags & ~VM_SHARED) :
			    arena_vma_prot(vma));
}

/**
 * arena_vma_prot() - how a page is mapped that is the arena's alone
 * @vma: the VMA
 *
 * Return: the protection.
 */
pgprot_t arena_vma_prot(const struct vm_area_struct *vma)
{
	/* Soft-dirty bits are set by write faults. */
	if (IS_ENABLED(CONFIG_MEM_SOFT_DIRTY) && !(vma->vm_flags & VM_SOFTDIRTY))
		return vm_get_page_prot(vma->vm_flags & ~VM_SHARED);
	return vm_get_page_prot(vma->vm_flags);
}

/**
 * arena_mmap() - mmap() of /dev/goheap
 * @file: the arena's file
 * @vma: the VMA to be
 *
 * Return: 0; -EPERM (not the opener's mm), -EINVAL (not MAP_SHARED, an offset,
 * a length that is no multiple of a chunk), -EACCES (PROT_EXEC), -ENOMEM (too
 * long, no memory for tables), -EBUSY (the arena has been mapped before).
 */
int arena_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct heap *h = file->private_data;
	struct arena *a = h->root;
	u64 bytes = vma->vm_end - vma->vm_start;
	int err;

	if (vma->vm_mm != a->mm)
		return -EPERM;
	if (!(vma->vm_flags & VM_SHARED) || vma->vm_pgoff ||
	    bytes & (GOHEAP_CHUNK_SIZE - 1))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EACCES;
	if (bytes > GOHEAP_ARENA_BYTES_MAX)
		return -ENOMEM;
	/* Leaves this state under the mmap_lock that is held here. */
	if (a->state != ARENA_OPENED)
		return -EBUSY;

	err = arena_attach(a, vma->vm_start, bytes);
	if (err)
		return err;

	vm_flags_mod(vma, VM_MIXEDMAP | VM_DONTEXPAND | VM_WIPEONFORK, VM_MAYEXEC);
	vma->vm_private_data = a;
	vma->vm_ops = &arena_vm_ops;
	return 0;
}
