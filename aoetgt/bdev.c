// SPDX-License-Identifier: GPL-2.0
/* The block device behind an export: opening, limits, and all I/O to it. */
#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/ioprio.h>
#include <linux/kthread.h>
#include <linux/log2.h>

#include "aoetgt.h"

/* Several exports may show windows of one device, so all have one holder. */
static const char aoetgt_holder[] = "aoetgt";

static struct block_device *aoetgt_disk_bdev(const struct aoetgt_disk *disk)
{
	return disk->handle.bdev;
}

/*
 * Does its driver sleep when it is given requests, as that of a network block device
 * does?  What sits above such a device, as the device mapper does, does not tell.
 */
static bool aoetgt_bdev_blocks(struct block_device *bdev)
{
	struct request_queue *q = bdev_get_queue(bdev);

	return q->tag_set && q->tag_set->flags & BLK_MQ_F_BLOCKING;
}

/**
 * aoetgt_disk_open() - open the device of an export
 * @disk: path and window set; the device is filled in
 *
 * The device is opened for writing when that is possible, so that read_only
 * can change later.
 *
 * Context: process, sleeps.
 * Return: 0; -ENOENT, -ENOTBLK, -EBUSY and others of the open; -EROFS;
 * -EOPNOTSUPP for blocks larger than a page; -EINVAL for a window that does not
 * consist of whole blocks; -ERANGE for one outside.
 */
int aoetgt_disk_open(struct aoetgt_disk *disk)
{
	int err;

	err = aoetgt_handle_open(&disk->handle, disk->path, true, (void *)aoetgt_holder);
	disk->writable = !err;
	if (disk->read_only && (err == -EROFS || err == -EACCES))
		err = aoetgt_handle_open(&disk->handle, disk->path, false, (void *)aoetgt_holder);
	if (err)
		return err == -EACCES ? -EROFS : err;
	if (disk->writable && bdev_read_only(aoetgt_disk_bdev(disk)))
		disk->writable = false;

	if (aoetgt_bdev_blocks(aoetgt_disk_bdev(disk)))
		WRITE_ONCE(disk->target->blocks, true);
	disk->block = bdev_logical_block_size(aoetgt_disk_bdev(disk)) / AOE_SECTOR;
	if (disk->block > PAGE_SECTORS)
		err = -EOPNOTSUPP;
	else if ((disk->offset | disk->length) & (disk->block - 1))
		err = -EINVAL;
	else if (!disk->read_only && !disk->writable)
		err = -EROFS;
	else if (!aoetgt_disk_capacity(disk) || aoetgt_disk_capacity(disk) < disk->length)
		err = -ERANGE;
	if (err)
		aoetgt_handle_close(&disk->handle);
	return err;
}

/**
 * aoetgt_disk_close() - undo aoetgt_disk_open()
 * @disk: open, without I/O under way
 *
 * Context: process, sleeps.
 */
void aoetgt_disk_close(struct aoetgt_disk *disk)
{
	if (disk->css)
		css_put(disk->css);
	disk->css = NULL;
	aoetgt_handle_close(&disk->handle);
}

/**
 * aoetgt_disk_set_cgroup() - charge the I/O of an export to a block cgroup
 * @disk: the disk
 * @path: of the cgroup, as in /proc/PID/cgroup
 *
 * Context: process, sleeps.
 * Return: 0; -ENOENT; -EOPNOTSUPP if the kernel has no block cgroups.
 */
int aoetgt_disk_set_cgroup(struct aoetgt_disk *disk, const char *path)
{
	struct cgroup_subsys_state *css = aoetgt_blkcg_get(path);

	if (IS_ERR(css))
		return PTR_ERR(css);
	disk->css = css;
	return 0;
}

/**
 * aoetgt_disk_capacity() - size of the window at this moment
 * @disk: open
 *
 * Context: any.
 * Return: sectors, in whole blocks; 0 when the device ends before the window begins.
 */
sector_t aoetgt_disk_capacity(const struct aoetgt_disk *disk)
{
	sector_t size = round_down(bdev_nr_sectors(aoetgt_disk_bdev(disk)), disk->block);

	if (size <= disk->offset)
		return 0;
	size -= disk->offset;
	return disk->length ? min_t(sector_t, size, disk->length) : size;
}

/**
 * aoetgt_disk_alive() - is the device still there?
 * @disk: open
 *
 * Context: any.
 */
bool aoetgt_disk_alive(const struct aoetgt_disk *disk)
{
	return disk_live(aoetgt_disk_bdev(disk)->bd_disk);
}

/**
 * aoetgt_disk_can_discard() - does the device take discards?
 * @disk: open
 */
bool aoetgt_disk_can_discard(const struct aoetgt_disk *disk)
{
	return bdev_max_discard_sectors(aoetgt_disk_bdev(disk));
}

/**
 * aoetgt_disk_describe() - what IDENTIFY has to know of the device
 * @disk: open
 * @me: capacity, physical sectors, rotation and cache are filled in
 *
 * Context: process.  Section 3.7, words 82, 106, 209 and 217.
 */
void aoetgt_disk_describe(const struct aoetgt_disk *disk, struct ata_identity *me)
{
	struct block_device *bdev = aoetgt_disk_bdev(disk);
	int align = bdev_alignment_offset(bdev);
	u32 per_phys;

	me->capacity = aoetgt_disk_capacity(disk);
	me->phys_shift = min(ilog2(bdev_physical_block_size(bdev) / AOE_SECTOR), 15);
	per_phys = 1U << me->phys_shift;
	/* The device says where its first whole physical sector begins. */
	if (align > 0)
		align /= AOE_SECTOR;
	else
		align = 0;
	me->align = (disk->offset + per_phys - align % per_phys) & (per_phys - 1);
	me->rotation = bdev_rot(bdev) ? 0 : 1;
	me->wcache_supported = bdev_write_cache(bdev);
}

static void aoetgt_disk_end_io(struct bio *bio)
{
	struct aoetgt_request *req = container_of(bio, struct aoetgt_request, bio);

	req->status = bio->bi_status;
	bio_uninit(bio);
	aoetgt_request_complete(req);
}

static void aoetgt_disk_submit(struct aoetgt_disk *disk, struct bio *bio)
{
	if (disk->css)
		bio_associate_blkg_from_css(bio, disk->css);
	/* The clients' is like everybody's: that of our threads is for their CPU time. */
	bio->bi_ioprio = IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, IOPRIO_BE_NORM);
	submit_bio(bio);
}

/**
 * aoetgt_disk_rw() - read or write the pages of a request
 * @disk: open
 * @req: lba and pages are set, the range is inside the window
 * @opf: operation and flags of the bio
 *
 * The pages begin with the block that @req->lba is in, and end with a block.
 *
 * Ends in aoetgt_request_complete().
 *
 * Context: process, may sleep.
 */
void aoetgt_disk_rw(struct aoetgt_disk *disk, struct aoetgt_request *req, blk_opf_t opf)
{
	struct bio *bio = &req->bio;

	bio_init(bio, aoetgt_disk_bdev(disk), req->bvecs, req->nr_pages, opf);
	bio->bi_iter.bi_sector = disk->offset + round_down(req->lba, disk->block);
	bio->bi_iter.bi_size = req->data_len;
	bio->bi_vcnt = req->nr_pages;
	bio->bi_end_io = aoetgt_disk_end_io;
	aoetgt_disk_submit(disk, bio);
}

/**
 * aoetgt_disk_flush() - empty the volatile cache of the device
 * @disk: open
 * @req: the request that asks for it
 *
 * Ends in aoetgt_request_complete().
 *
 * Context: process, may sleep.
 */
void aoetgt_disk_flush(struct aoetgt_disk *disk, struct aoetgt_request *req)
{
	struct bio *bio = &req->bio;

	bio_init(bio, aoetgt_disk_bdev(disk), NULL, 0, REQ_OP_WRITE | REQ_PREFLUSH | REQ_SYNC);
	bio->bi_end_io = aoetgt_disk_end_io;
	aoetgt_disk_submit(disk, bio);
}

static void aoetgt_disk_discard_end_io(struct bio *bio)
{
	struct aoetgt_request *req = bio->bi_private;

	req->status = bio->bi_status;
	bio_put(bio);
	aoetgt_request_complete(req);
}

/**
 * aoetgt_disk_discard() - discard the ranges that a request names
 * @disk: open
 * @req: its pages hold TRIM entries, all of them inside the window
 *
 * A block that is named in part keeps its data.
 *
 * Ends in aoetgt_request_complete().
 *
 * Context: a kernel thread's, may sleep.  Section 3.5.
 */
void aoetgt_disk_discard(struct aoetgt_disk *disk, struct aoetgt_request *req)
{
	struct bio *bio = NULL;
	u64 lba, first, end;
	unsigned int i;

	/* The kernel submits all bios but the last. */
	kthread_associate_blkcg(disk->css);
	for (i = 0; i < req->data_len / sizeof(__le64); i++) {
		end = ata_trim_range(aoetgt_trim_entry(req, i), &lba);
		end = round_down(lba + end, disk->block);
		first = round_up(lba, disk->block);
		if (first < end)
			__blkdev_issue_discard(aoetgt_disk_bdev(disk), disk->offset + first,
					       end - first, GFP_NOIO, &bio);
	}
	kthread_associate_blkcg(NULL);
	if (!bio) {
		req->status = BLK_STS_OK;
		aoetgt_request_complete(req);
		return;
	}
	bio->bi_private = req;
	bio->bi_end_io = aoetgt_disk_discard_end_io;
	aoetgt_disk_submit(disk, bio);
}
