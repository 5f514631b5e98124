// SPDX-License-Identifier: GPL-2.0
/*
 * goheap.ko: a page heap for garbage-collected programs, behind /dev/goheap.
 *
 * This file is the module and the device: loading, opening, closing, the
 * parameters.  arena.h lists the other files.
 *
 * Under /sys/module/goheap/parameters:
 *
 *	limit_pages	most memory of all arenas together, in pages of
 *			PAGE_SIZE; half of the RAM unless given; may be changed
 *			at any time.  Beyond it requests fail with ENOMEM; what
 *			is there already stays
 *	pages		memory of all arenas together now, in the same unit
 *	arenas		arenas that are open
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>

#include "arena.h"

/* Work that must not be done where the need for it is found. */
struct workqueue_struct *goheap_wq;

module_param_named(limit_pages, memory_limit, ulong, 0644);
MODULE_PARM_DESC(limit_pages, "most memory of all arenas, in system pages (default: half of RAM)");

static int pages_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%lu\n", memory_pages());
}

static const struct kernel_param_ops pages_ops = { .get = pages_get };

module_param_cb(pages, &pages_ops, NULL, 0444);
MODULE_PARM_DESC(pages, "memory of all arenas now, in system pages");

static int arenas_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%u\n", arena_count());
}

static const struct kernel_param_ops arenas_ops = { .get = arenas_get };

module_param_cb(arenas, &arenas_ops, NULL, 0444);
MODULE_PARM_DESC(arenas, "arenas that are open");

static int goheap_open(struct inode *inode, struct file *file)
{
	struct heap *h;

	if ((file->f_mode & (FMODE_READ | FMODE_WRITE)) !=
	    (FMODE_READ | FMODE_WRITE))
		return -EACCES;
	if (!current->mm)
		return -EPERM;

	h = heap_create(current->mm);
	if (IS_ERR(h))
		return PTR_ERR(h);

	file->private_data = h;
	file->f_mapping = h->inode->i_mapping;
	return nonseekable_open(inode, file);
}

static int goheap_release(struct inode *inode, struct file *file)
{
	struct heap *h = file->private_data;

	arena_put(h->root);
	heap_put(h);
	return 0;
}

static const struct file_operations goheap_fops = {
	.owner		= THIS_MODULE,
	.open		= goheap_open,
	.release	= goheap_release,
	.mmap		= arena_mmap,
	.poll		= arena_poll,
	.unlocked_ioctl	= arena_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.show_fdinfo	= arena_show_fdinfo,
	/* 2 MiB aligned where it can be: fewer page tables. */
	.get_unmapped_area = thp_get_unmapped_area,
};

static struct miscdevice goheap_misc = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "goheap",
	.fops	= &goheap_fops,
	.mode	= 0666,
};

static int __init goheap_init(void)
{
	int err;

	memory_limit_init();
	goheap_wq = alloc_workqueue("goheap", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!goheap_wq)
		return -ENOMEM;
	err = arena_cache_init();
	if (err)
		goto out_wq;
	arena_debugfs_init();
	err = misc_register(&goheap_misc);
	if (err)
		goto out_debugfs;
	return 0;

out_debugfs:
	arena_debugfs_exit();
	arena_cache_exit();
out_wq:
	destroy_workqueue(goheap_wq);
	return err;
}

static void __exit goheap_exit(void)
{
	misc_deregister(&goheap_misc);
	arena_debugfs_exit();
	destroy_workqueue(goheap_wq);
	arena_cache_exit();
}

module_init(goheap_init);
module_exit(goheap_exit);

MODULE_DESCRIPTION("Page heap for garbage-collected programs");
MODULE_AUTHOR("The goheap authors");
MODULE_LICENSE("GPL");
