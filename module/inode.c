// SPDX-License-Identifier: GPL-2.0
/*
 * An address_space for each arena.
 *
 * All opens of a device node share the node's inode.  An arena needs one of its
 * own: unmap_mapping_range() on its address_space then reaches the arena's VMAs
 * and no others, without mmap_lock.  The inodes live on a pseudo file system
 * that is mounted while there is an arena and no longer, because a mount holds
 * a reference to the module.
 */
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>

#include "arena.h"

#define GOHEAP_FS_MAGIC	0x676f6870	/* "gohp" */

static struct vfsmount *goheap_mnt;
static int goheap_mnt_count;

static int goheap_init_fs_context(struct fs_context *fc)
{
	return init_pseudo(fc, GOHEAP_FS_MAGIC) ? 0 : -ENOMEM;
}

static struct file_system_type goheap_fs_type = {
	.name		= "goheap",
	.owner		= THIS_MODULE,
	.init_fs_context = goheap_init_fs_context,
	.kill_sb	= kill_anon_super,
};

/**
 * arena_inode_new() - make an inode of its own for an arena
 *
 * Return: the inode, or an ERR_PTR.
 */
struct inode *arena_inode_new(void)
{
	struct inode *inode;
	int err;

	err = simple_pin_fs(&goheap_fs_type, &goheap_mnt, &goheap_mnt_count);
	if (err)
		return ERR_PTR(err);

	inode = alloc_anon_inode(goheap_mnt->mnt_sb);
	if (IS_ERR(inode))
		simple_release_fs(&goheap_mnt, &goheap_mnt_count);
	return inode;
}

/**
 * arena_inode_put() - undo arena_inode_new()
 * @inode: the inode; no VMA is left on its address_space
 */
void arena_inode_put(struct inode *inode)
{
	iput(inode);
	simple_release_fs(&goheap_mnt, &goheap_mnt_count);
}
