// SPDX-License-Identifier: GPL-2.0
/*
 * Disks as a whole: opened and claimed, watched, drained, closed.
 *
 * A disk belongs to a target or to a view of one; its settings and @open are
 * guarded by that target's lock.
 */
#include <linux/jiffies.h>
#include <linux/wait_bit.h>

#include "aoetgt.h"

#define AOETGT_WATCH_INTERVAL	HZ
#define AOETGT_RMDIR_PATIENCE	HZ
#define AOETGT_DISABLE_PATIENCE	(10 * HZ)

/* Guards aoetgt_disks, the open ones, so that windows never clash, and @draining. */
static DEFINE_MUTEX(aoetgt_disks_lock);
static LIST_HEAD(aoetgt_disks);
static atomic_t aoetgt_reaping;		/* disks whose drain rmdir did not wait for */

/* Two windows of one device clash unless they are apart, or nobody writes. */
static bool aoetgt_disks_clash(const struct aoetgt_disk *a, const struct aoetgt_disk *b)
{
	u64 a_end = a->length ? a->offset + a->length : U64_MAX;
	u64 b_end = b->length ? b->offset + b->length : U64_MAX;

	if (a->handle.bdev != b->handle.bdev)
		return false;
	if (a->read_only && b->read_only)
		return false;
	return a->offset < b_end && b->offset < a_end;
}

static struct aoetgt_disk *aoetgt_disk_clash(const struct aoetgt_disk *disk)
{
	struct aoetgt_disk *other;

	lockdep_assert_held(&aoetgt_disks_lock);
	list_for_each_entry(other, &aoetgt_disks, node)
		if (other != disk && aoetgt_disks_clash(disk, other))
			return other;
	return NULL;
}

/* The size of a disk can change, and a disk can go, without anybody telling us. */
static void aoetgt_disk_look(struct aoetgt_disk *disk)
{
	sector_t capacity = aoetgt_disk_capacity(disk);

	if (!disk->offline && !aoetgt_disk_alive(disk)) {
		disk->offline = true;
		aoetgt_err(disk, "device %s is gone", disk->path);
		return;
	}
	if (disk->offline || capacity == disk->announced)
		return;
	aoetgt_info(disk, "size changed from %llu to %llu sectors", disk->announced, capacity);
	disk->announced = capacity;
	aoetgt_bindings_advertise(disk->target);
}

static void aoetgt_watch(struct work_struct *work);
static DECLARE_DELAYED_WORK(aoetgt_watch_work, aoetgt_watch);

/* A disk that is draining may outlive its target. */
static void aoetgt_watch(struct work_struct *work)
{
	struct aoetgt_disk *disk;
	bool last;

	mutex_lock(&aoetgt_disks_lock);
	list_for_each_entry(disk, &aoetgt_disks, node)
		if (!disk->draining)
			aoetgt_disk_look(disk);
	last = list_empty(&aoetgt_disks);
	if (!last)
		queue_delayed_work(aoetgt_wq, &aoetgt_watch_work, AOETGT_WATCH_INTERVAL);
	mutex_unlock(&aoetgt_disks_lock);
	aoetgt_pages_trim();
	/* The second time none has been used meanwhile, and all go. */
	if (last)
		aoetgt_pages_trim();
}

static void aoetgt_disk_drained(struct percpu_ref *refs)
{
	complete(&container_of(refs, struct aoetgt_disk, refs)->drained);
}

/**
 * aoetgt_disk_init() - make a disk without a device
 * @disk: zeroed, label set
 * @t: whose it is
 */
void aoetgt_disk_init(struct aoetgt_disk *disk, struct aoetgt_target *t)
{
	disk->target = t;
	init_completion(&disk->drained);
	INIT_LIST_HEAD(&disk->node);
}

static const char *aoetgt_open_reason(int err)
{
	switch (err) {
	case -ENOENT:
		return "no such file";
	case -ENOTBLK:
		return "not a block device";
	case -EBUSY:
		return "mounted or in use";
	case -EROFS:
		return "the device is read-only and read_only is 0";
	case -ERANGE:
		return "the window is not inside the device";
	case -EINVAL:
		return "offset and length are not whole logical sectors of the device";
	case -EOPNOTSUPP:
		return "its logical sectors are larger than a page";
	}
	return "open failed";
}

/* Return: 0, or -errno with one line in the log. */
static int aoetgt_disk_prepare(struct aoetgt_disk *disk, const char *cgroup)
{
	int err = -ENOENT;

	if (!disk->path) {
		aoetgt_err(disk, "cannot enable: device is not set: %pe", ERR_PTR(err));
		return err;
	}
	err = aoetgt_disk_open(disk);
	if (err) {
		aoetgt_err(disk, "cannot enable: device %s: %s: %pe", disk->path,
			   aoetgt_open_reason(err), ERR_PTR(err));
		return err;
	}
	if (cgroup)
		err = aoetgt_disk_set_cgroup(disk, cgroup);
	if (err) {
		aoetgt_err(disk, "cannot enable: cgroup %s: %pe", cgroup, ERR_PTR(err));
		aoetgt_disk_close(disk);
	}
	return err;
}

/* From here on nobody else gets this window.  Return: 0 or -EBUSY. */
static int aoetgt_disk_claim(struct aoetgt_disk *disk)
{
	struct aoetgt_disk *other;

	mutex_lock(&aoetgt_disks_lock);
	other = aoetgt_disk_clash(disk);
	if (other) {
		aoetgt_err(disk, "cannot enable: device %s: %s exports the same sectors: %pe",
			   disk->path, other->label, ERR_PTR(-EBUSY));
	} else {
		list_add_tail(&disk->node, &aoetgt_disks);
		queue_delayed_work(aoetgt_wq, &aoetgt_watch_work, AOETGT_WATCH_INTERVAL);
	}
	mutex_unlock(&aoetgt_disks_lock);
	return other ? -EBUSY : 0;
}

/**
 * aoetgt_disk_start() - open the device of a disk and claim its window
 * @disk: closed, its target's lock held
 * @cgroup: block cgroup to charge, or NULL
 *
 * Context: process, sleeps.
 * Return: 0, or -errno with one line in the log.
 */
int aoetgt_disk_start(struct aoetgt_disk *disk, const char *cgroup)
{
	int err;

	lockdep_assert_held(&disk->target->lock);
	if (disk->open) {
		aoetgt_err(disk, "cannot enable: device %s does not end its I/O: %pe",
			   disk->path, ERR_PTR(-EBUSY));
		return -EBUSY;
	}
	err = aoetgt_disk_prepare(disk, cgroup);
	if (err)
		return err;
	disk->draining = false;
	disk->offline = false;
	disk->announced = aoetgt_disk_capacity(disk);
	reinit_completion(&disk->drained);
	err = percpu_ref_init(&disk->refs, aoetgt_disk_drained, 0, GFP_KERNEL);
	if (err)
		goto out_close;
	err = aoetgt_disk_claim(disk);
	if (err)
		goto out_ref;
	disk->open = true;
	return 0;
out_ref:
	percpu_ref_exit(&disk->refs);
out_close:
	aoetgt_disk_close(disk);
	return err;
}

/**
 * aoetgt_disk_kill() - no new users
 * @disk: open, not to be found any more; nobody else starts or stops it: its target's
 * lock is held, or the directory of its view goes
 *
 * Once percpu_ref_kill()'s grace period is over, nobody can have found the
 * disk without holding it.
 *
 * Context: process; does not wait for I/O.
 */
void aoetgt_disk_kill(struct aoetgt_disk *disk)
{
	mutex_lock(&aoetgt_disks_lock);
	disk->draining = true;
	mutex_unlock(&aoetgt_disks_lock);
	percpu_ref_kill(&disk->refs);
}

/*
 * The drain is over.  The window stays claimed until here, so that nobody can
 * write there beside our last I/O.
 */
static void aoetgt_disk_finish(struct aoetgt_disk *disk)
{
	percpu_ref_exit(&disk->refs);
	mutex_lock(&aoetgt_disks_lock);
	list_del_init(&disk->node);
	mutex_unlock(&aoetgt_disks_lock);
	aoetgt_disk_close(disk);
	disk->open = false;
	aoetgt_info(disk, "disabled");
}

/**
 * aoetgt_disk_stop() - wait for the users of a disk, and close it
 * @disk: its target's lock held; killed, or closed already
 *
 * The wait is bounded: the caller holds off rmdir, and that holds off mkdir
 * elsewhere.
 *
 * Context: process, sleeps.
 * Return: 0; -EBUSY, with one line in the log, if the device does not end its
 * I/O, in which case this can be tried again.
 */
int aoetgt_disk_stop(struct aoetgt_disk *disk)
{
	if (!disk->open)
		return 0;
	if (!wait_for_completion_timeout(&disk->drained, AOETGT_DISABLE_PATIENCE)) {
		aoetgt_err(disk, "cannot disable: device %s does not end its I/O: %pe",
			   disk->path, ERR_PTR(-EBUSY));
		return -EBUSY;
	}
	aoetgt_disk_finish(disk);
	return 0;
}

static void aoetgt_disk_reap(struct work_struct *work)
{
	struct aoetgt_disk *disk = container_of(work, struct aoetgt_disk, reap_work);

	wait_for_completion(&disk->drained);
	aoetgt_disk_finish(disk);
	disk->free(disk);
	module_put(THIS_MODULE);
	/* aoetgt_disks_exit() waits for the rest of this. */
	if (atomic_dec_and_test(&aoetgt_reaping))
		wake_up_var(&aoetgt_reaping);
}

/**
 * aoetgt_disk_release() - the directory is gone: drain, close and free
 * @disk: killed, or closed already
 * @free: frees what the disk is part of
 *
 * rmdir holds the lock of the parent directory while it is here, so a device
 * that does not answer must not keep it: after a second the rest is done in
 * the background.
 *
 * Context: process, sleeps.
 */
void aoetgt_disk_release(struct aoetgt_disk *disk, void (*free)(struct aoetgt_disk *disk))
{
	if (disk->open &&
	    !wait_for_completion_timeout(&disk->drained, AOETGT_RMDIR_PATIENCE)) {
		aoetgt_info(disk, "device %s does not end its I/O, closing it in the background",
			    disk->path);
		disk->free = free;
		/* The directory has its own until this returns. */
		__module_get(THIS_MODULE);
		atomic_inc(&aoetgt_reaping);
		INIT_WORK(&disk->reap_work, aoetgt_disk_reap);
		queue_work(aoetgt_wq, &disk->reap_work);
		return;
	}
	if (disk->open)
		aoetgt_disk_finish(disk);
	free(disk);
}

/**
 * aoetgt_disk_set_read_only() - change whether clients may write
 * @disk: its target's lock held
 * @read_only: the new setting
 *
 * Context: process.
 * Return: 0; -EROFS if the device cannot be written; -EBUSY if somebody else
 * exports the same sectors; one line in the log then.
 */
int aoetgt_disk_set_read_only(struct aoetgt_disk *disk, bool read_only)
{
	struct aoetgt_disk *other;
	bool was = disk->read_only;
	int err = 0;

	lockdep_assert_held(&disk->target->lock);
	if (disk->open && !read_only && !disk->writable) {
		aoetgt_err(disk, "read_only: 0: device %s is read-only: %pe", disk->path,
			   ERR_PTR(-EROFS));
		return -EROFS;
	}
	mutex_lock(&aoetgt_disks_lock);
	WRITE_ONCE(disk->read_only, read_only);
	other = disk->open ? aoetgt_disk_clash(disk) : NULL;
	if (other) {
		err = -EBUSY;
		WRITE_ONCE(disk->read_only, was);
		aoetgt_err(disk, "read_only: 0: %s exports the same sectors: %pe",
			   other->label, ERR_PTR(err));
	}
	mutex_unlock(&aoetgt_disks_lock);
	return err;
}

/**
 * aoetgt_disk_state() - how a disk fares
 * @disk: the disk; its target's lock, which a drain may hold, is not needed
 *
 * Context: process, sleeps, but never for I/O.
 * Return: "disabled"; "online"; "offline" when its device is gone; "draining"
 * when it was disabled and the device has not ended its I/O.
 */
const char *aoetgt_disk_state(struct aoetgt_disk *disk)
{
	const char *state = "disabled";

	mutex_lock(&aoetgt_disks_lock);
	if (!list_empty(&disk->node) && disk->draining)
		state = "draining";
	else if (!list_empty(&disk->node))
		state = aoetgt_disk_alive(disk) ? "online" : "offline";
	mutex_unlock(&aoetgt_disks_lock);
	return state;
}

/**
 * aoetgt_disk_size() - capacity for whoever asks
 * @disk: the disk, open or not
 *
 * Context: as aoetgt_disk_state().
 * Return: sectors, 0 while it is disabled.
 */
sector_t aoetgt_disk_size(struct aoetgt_disk *disk)
{
	sector_t size = 0;

	mutex_lock(&aoetgt_disks_lock);
	if (!list_empty(&disk->node))
		size = aoetgt_disk_capacity(disk);
	mutex_unlock(&aoetgt_disks_lock);
	return size;
}

/**
 * aoetgt_disks_for_each() - visit the enabled targets
 * @fn: what to do with each
 * @m: passed on
 *
 * Context: process, sleeps; @fn must not.
 */
void aoetgt_disks_for_each(void (*fn)(struct aoetgt_target *t, struct seq_file *m),
			   struct seq_file *m)
{
	struct aoetgt_disk *disk;

	mutex_lock(&aoetgt_disks_lock);
	list_for_each_entry(disk, &aoetgt_disks, node)
		if (!disk->draining && disk == &disk->target->disk)
			fn(disk->target, m);
	mutex_unlock(&aoetgt_disks_lock);
}

/**
 * aoetgt_disks_exit() - wait until all disks are closed
 *
 * Context: process, sleeps; configfs is gone already.
 */
void aoetgt_disks_exit(void)
{
	wait_var_event(&aoetgt_reaping, !atomic_read(&aoetgt_reaping));
	cancel_delayed_work_sync(&aoetgt_watch_work);
}
