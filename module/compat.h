/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Differences between the kernels that goheap.ko builds for, by capability:
 * Kbuild looks into the kernel's headers and defines GOHEAP_HAS_*; what is
 * not there is supplied here, under the newer kernel's name.
 */
#ifndef _GOHEAP_COMPAT_H
#define _GOHEAP_COMPAT_H

#include <linux/mm.h>

#ifndef GOHEAP_HAS_VM_FLAGS_SET
/* Before 6.3 the flags of a vm_area_struct were an ordinary field. */
static inline void vm_flags_mod(struct vm_area_struct *vma, unsigned long set,
				unsigned long clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}

static inline void vm_flags_set(struct vm_area_struct *vma, unsigned long set)
{
	vm_flags_mod(vma, set, 0);
}
#endif

#endif /* _GOHEAP_COMPAT_H */
