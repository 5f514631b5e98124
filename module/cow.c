// SPDX-License-Identifier: GPL-2.0
/*
 * Copy on write, for arenas that share pages with relatives.
 *
 * What others own too is mapped read-only; a write to it gets a new page with
 * the same contents, here.  What this arena has to itself is mapped writable,
 * and if its entry is still read-only (it was shared once), the core makes it
 * writable when page_mkwrite() allows it.  The number of owners rises in fork()
 * only, which holds the mmap_lock for writing, and a fault holds it for reading:
 * so a page that was found to be ours alone stays so until the fault is over.
 *
 * The copy is made under the arena's lock.  While it is held and the page has
 * another owner, all entries for it are read-only: its contents stand still.
 *
 * Without memory for a copy the access is SIGBUS, in the process that wanted to
 * write, and nowhere else.  VM_FAULT_OOM would be an invitation to kill.
 *
 * Neighbours of a page that is faulted in are mapped with it.
 */
#include <linux/highmem.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>

#include "arena.h"
#include "compat.h"
#include "trace.h"

/*
 * Give the arena its own copy, in *@new, of the page that *@pfn names, to which
 * the core has @held references for the time of the fault.
 */
static int cow_replace(struct arena *a, unsigned long addr, u32 *pfn,
		       struct page **new, unsigned int held)
{
	struct page *page = pfn_to_page(*pfn), *copy = *new;

	lockdep_assert_held(&a->lock);

	trace_goheap_copy(a, COPY_WRITE, addr, PAGE_SIZE, copy ? 0 : -ENOMEM);
	if (!copy) {
		a->enomem++;
		return -ENOMEM;
	}
	copy_highpage(copy, page);
	/* The relatives' entries go as well; they find their pages again by a fault. */
	unmap_mapping_range(a->inode->i_mapping, addr - a->base, PAGE_SIZE, 1);
	*pfn = page_to_pfn(copy);
	*new = NULL;
	/* Who looks for dirt must see that the memory is another. */
	SetPageDirty(copy);
	memory_page_drop(a, page, held);
	a->copied++;
	a->nr_shared -= !!a->nr_shared;
	return 0;
}

/*
 * Map what spans own from @pgoff on, as far as it is of one kind, ours alone or
 * not.  0, or an error if not even the first page could be mapped.
 */
static int cow_map(struct arena *a, struct vm_area_struct *vma,
		   unsigned long addr, pgoff_t pgoff)
{
	struct page *pages[MAP_BATCH] __uninitialized;
	unsigned long n = 0, left;
	struct mem_cgroup *old;
	bool own = false;
	int err;

	lockdep_assert_held(&a->lock);

	/* The neighbours lie in one chunk. */
	do {
		u32 *pfn = arena_pfn(a, pgoff);
		struct page *page;

		if (!pfn)
			break;
		page = pfn_to_page(*pfn);
		if (!n)
			own = !memory_page_shared(page);
		else if (own == memory_page_shared(page))
			break;
		pages[n++] = page;
	} while (++pgoff % MAP_BATCH);

	left = n;
	old = set_active_memcg(a->memcg);
	err = map_insert(vma, addr, pages, &left, own);
	set_active_memcg(old);
	return left < n ? 0 : err;
}

/*
 * Take the lock and find what a span owns at @pgoff.  If it is to be written and
 * others have it too, *@new is memory for a copy, or NULL if there is none.
 */
static u32 *cow_begin(struct arena *a, pgoff_t pgoff, bool write, struct page **new)
{
	bool tried = false;
	u32 *pfn;

	arena_note_pid(a);
	*new = NULL;
	for (;;) {
		mutex_lock(&a->lock);
		pfn = arena_pfn(a, pgoff);
		if (!pfn || !write || tried || !memory_page_shared(pfn_to_page(*pfn)))
			return pfn;
		mutex_unlock(&a->lock);
		/* By the time it is there, it may not be needed any more. */
		*new = memory_page_new(a);
		tried = true;
	}
}

/* Let go of the lock and of what was not used, and say how it went. */
static void cow_end(struct arena *a, struct vm_fault *vmf, bool write,
		    struct page *new, enum fault_result result)
{
	if (result == FAULT_SERVED)
		a->faults++;
	else if (result == FAULT_OUTSIDE)
		a->bad_faults++;
	mutex_unlock(&a->lock);
	if (new)
		memory_page_drop(a, new, 0);
	trace_goheap_fault(a, vmf->address, write, result);
}

/**
 * arena_fault_shared() - vm_operations_struct::fault in shared mode
 * @vmf: the fault
 *
 * Return: as it wants it.
 */
vm_fault_t arena_fault_shared(struct vm_fault *vmf)
{
	bool write = vmf->flags & FAULT_FLAG_WRITE;
	struct vm_area_struct *vma = vmf->vma;
	struct arena *a = vma->vm_private_data;
	unsigned long addr = vmf->address & PAGE_MASK;
	enum fault_result result = FAULT_FAILED;
	struct page *new;
	u32 *pfn;
	int err = 0;

	/* A child for whose copy there was no memory; userfaultfd: see mmap.c. */
	if (!a || vma->vm_flags & VM_UFFD_WP)
		return VM_FAULT_SIGBUS;

	pfn = cow_begin(a, vmf->pgoff, write, &new);
	if (!pfn) {
		result = FAULT_OUTSIDE;
	} else {
		if (write && memory_page_shared(pfn_to_page(*pfn)))
			err = cow_replace(a, addr, pfn, &new, 0);
		if (!err)
			err = cow_map(a, vma, addr, vmf->pgoff);
		if (!err || err == -EBUSY)	/* another thread was faster */
			result = FAULT_SERVED;
	}
	cow_end(a, vmf, write, new, result);
	return result == FAULT_SERVED ? VM_FAULT_NOPAGE : VM_FAULT_SIGBUS;
}

/**
 * arena_mkwrite() - vm_operations_struct::page_mkwrite
 * @vmf: the fault: a write to a page that is mapped read-only
 *
 * Return: as it wants it.
 */
vm_fault_t arena_mkwrite(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct arena *a = vma->vm_private_data;
	unsigned long addr = vmf->address & PAGE_MASK;
	enum fault_result result = FAULT_SERVED;
	vm_fault_t ret = VM_FAULT_NOPAGE;
	struct page *new;
	u32 *pfn;

	pfn = cow_begin(a, vmf->pgoff, true, &new);
	if (!pfn) {
		/* Free, but not released: it is mapped still. */
		result = FAULT_OUTSIDE;
		ret = VM_FAULT_SIGBUS;
	} else if (*pfn != page_to_pfn(vmf->page)) {
		;	/* another thread was faster */
	} else if (!memory_page_shared(vmf->page)) {
		ret = VM_FAULT_LOCKED;
	} else if (cow_replace(a, addr, pfn, &new, 1)) {
		result = FAULT_FAILED;
		ret = VM_FAULT_SIGBUS;
	} else {
		/* Should this fail, the access faults again. */
		cow_map(a, vma, addr, vmf->pgoff);
	}
	cow_end(a, vmf, true, new, result);
	if (ret == VM_FAULT_LOCKED)
		lock_page(vmf->page);
	return ret;
}
