/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The only file that knows that kernels differ (6.1 to the newest).
 *
 * Everything else is written against the newest kernel.  Features are probed
 * by Kbuild or the preprocessor, not by version: distributions backport.
 */
#ifndef AOETGT_COMPAT_H
#define AOETGT_COMPAT_H

#include <linux/blkdev.h>
#include <linux/cgroup.h>
#include <linux/kernel.h>
#include <linux/skbuff.h>

#ifdef AOETGT_HAVE_HEX_H
#include <linux/hex.h>			/* mac_pton() */
#endif

/* An open disk: a struct file since 6.9, a mode to remember before. */
struct aoetgt_handle {
	struct block_device *bdev;
#ifdef AOETGT_HAVE_BDEV_FILE
	struct file *file;
#else
	fmode_t mode;
#endif
};

/**
 * aoetgt_handle_open() - open a block device exclusively
 * @h: filled in
 * @path: of the device, in the caller's mount namespace
 * @write: for writing as well
 * @holder: who claims it; the same holder may claim it again
 *
 * Context: process, sleeps.
 * Return: 0 or -errno.
 */
static inline int aoetgt_handle_open(struct aoetgt_handle *h, const char *path, bool write,
				     void *holder)
{
#ifdef AOETGT_HAVE_BDEV_FILE
	blk_mode_t mode = BLK_OPEN_READ | (write ? BLK_OPEN_WRITE : 0);

	h->file = bdev_file_open_by_path(path, mode, holder, NULL);
	if (IS_ERR(h->file))
		return PTR_ERR(h->file);
	h->bdev = file_bdev(h->file);
#else
	h->mode = FMODE_READ | FMODE_EXCL | (write ? FMODE_WRITE : 0);
	h->bdev = blkdev_get_by_path(path, h->mode, holder);
	if (IS_ERR(h->bdev))
		return PTR_ERR(h->bdev);
#endif
	return 0;
}

/**
 * aoetgt_handle_close() - undo aoetgt_handle_open()
 * @h: the open disk; its claim ends at once
 *
 * Context: process, sleeps.
 */
static inline void aoetgt_handle_close(struct aoetgt_handle *h)
{
#ifdef AOETGT_HAVE_BDEV_FILE
	bdev_fput(h->file);
#else
	blkdev_put(h->bdev, h->mode);
#endif
	h->bdev = NULL;
}

#ifndef AOETGT_HAVE_BDEV_ROT
static inline bool bdev_rot(struct block_device *bdev)
{
	return !bdev_nonrot(bdev);
}
#endif

#ifndef AOETGT_HAVE_SKB_FRAGS_READABLE
static inline bool skb_frags_readable(struct sk_buff *skb)
{
	return true;
}
#endif

/**
 * aoetgt_blkcg_get() - block cgroup by path
 * @path: as in /proc/PID/cgroup
 *
 * Context: process, sleeps.
 * Return: the nearest one in charge of I/O, to be put with css_put(); ERR_PTR.
 */
static inline struct cgroup_subsys_state *aoetgt_blkcg_get(const char *path)
{
#ifdef CONFIG_BLK_CGROUP
	struct cgroup *cgroup = cgroup_get_from_path(path);
	struct cgroup_subsys_state *css;

	if (IS_ERR(cgroup))
		return ERR_CAST(cgroup);
	css = cgroup_get_e_css(cgroup, &io_cgrp_subsys);
	cgroup_put(cgroup);
	return css;
#else
	return ERR_PTR(-EOPNOTSUPP);
#endif
}

#endif /* AOETGT_COMPAT_H */
