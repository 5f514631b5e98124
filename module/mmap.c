// SPDX-License-Identifier: GPL-2.0
/*
 * The VMA: one for the arena's whole life and length, never split, moved,
 * inherited or executable.
 *
 * Everything that would split it (a partial munmap() or mprotect()) or move it
 * (mremap()) is refused with EINVAL.  What the user may do to all of it, or to
 * the page tables below it, does no harm: a page that MADV_DONTNEED took out of
 * the page tables is put back by the fault handler if a span owns it; every
 * other fault is SIGBUS.
 *
 * fork().  The child does not get the VMA (VM_DONTCOPY).  MADV_DOFORK clears
 * that flag (only VM_IO, which would forbid get_user_pages(), protects it), so
 * the child may get one after all: an empty one, in which every access is
 * SIGBUS.
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

	if (vma->vm_mm == a->mm) {
		mutex_lock(&a->lock);
		a->vmas++;
		mutex_unlock(&a->lock);
		return;
	}

	/*
	 * A forked child.  Where the page tables are copied after this, the
	 * flag prevents it; where they were copied before, they are emptied
	 * (the parent's too, which the fault handler mends).
	 */
	vm_flags_set(vma, VM_WIPEONFORK);
	unmap_mapping_range(a->inode->i_mapping, 0, 0, 1);
}

static void arena_vma_close(struct vm_area_struct *vma)
{
	struct arena *a = vma->vm_private_data;
	bool last;

	if (vma->vm_mm != a->mm)
		return;

	mutex_lock(&a->lock);
	last = !--a->vmas;
	mutex_unlock(&a->lock);
	if (last)
		arena_detach(a);
}

static int arena_vma_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	return -EINVAL;
}

static int arena_vma_mremap(struct vm_area_struct *vma)
{
	return -EINVAL;
}

/* The system page that a span owns at this offset; NULL if no span does. */
static struct page *arena_fault_page(struct arena *a, pgoff_t pgoff)
{
	u64 page = (u64)pgoff / SUBPAGES;
	struct chunk *c;
	unsigned int i;

	if (page >> PALLOC_CHUNK_SHIFT >= a->palloc.nr_chunks)
		return NULL;
	c = arena_chunk(a, page);
	i = page & (PALLOC_CHUNK_PAGES - 1);
	/* Released or unmapped but used: in transit, nobody's yet. */
	if (!test_bit(i, c->pc.used) || test_bit(i, c->pc.released) ||
	    test_bit(i, c->unmapped))
		return NULL;
	return pfn_to_page(c->pfn[i * SUBPAGES + pgoff % SUBPAGES]);
}

static vm_fault_t arena_vma_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct arena *a = vma->vm_private_data;
	struct mem_cgroup *old;
	enum fault_result result = FAULT_FAILED;
	struct page *page;
	vm_fault_t ret;
	int err;

	if (vma->vm_mm != a->mm)
		return VM_FAULT_SIGBUS;
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
	page = a->state == ARENA_MAPPED ? arena_fault_page(a, vmf->pgoff) : NULL;
	if (!page) {
		a->bad_faults++;
		result = FAULT_OUTSIDE;
		ret = VM_FAULT_SIGBUS;
		goto out;
	}

	old = set_active_memcg(a->memcg);
	err = vm_insert_page(vma, vmf->address & PAGE_MASK, page);
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

	vm_flags_mod(vma, VM_MIXEDMAP | VM_DONTEXPAND | VM_DONTCOPY, VM_MAYEXEC);
	vma->vm_private_data = a;
	vma->vm_ops = &arena_vm_ops;
	return 0;
}
