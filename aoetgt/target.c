// SPDX-License-Identifier: GPL-2.0
/* Targets: creation, going online, draining, and what clients may change. */
#include <linux/dmi.h>
#include <linux/jiffies.h>
#include <linux/siphash.h>
#include <linux/slab.h>
#include <linux/utsname.h>
#include <linux/wait_bit.h>

#include "aoetgt.h"

#define AOETGT_WATCH_INTERVAL	HZ
#define AOETGT_RMDIR_PATIENCE	HZ
#define AOETGT_DISABLE_PATIENCE	(10 * HZ)

/* Guards aoetgt_targets, the enabled ones, so that their windows never clash. */
static DEFINE_MUTEX(aoetgt_targets_lock);
static LIST_HEAD(aoetgt_targets);

static const struct aoetgt_ops *aoetgt_target_ops;
static struct kmem_cache *aoetgt_target_cache;
static atomic_t aoetgt_reaping;		/* targets whose drain rmdir did not wait for */

/* Two windows of one device clash unless they are apart, or nobody writes. */
static bool aoetgt_disks_clash(const struct aoetgt_target *a, const struct aoetgt_target *b)
{
	sector_t a_end = a->disk.length ? a->disk.first + a->disk.length : (sector_t)-1;
	sector_t b_end = b->disk.length ? b->disk.first + b->disk.length : (sector_t)-1;

	if (a->disk.handle.bdev != b->disk.handle.bdev)
		return false;
	if (a->read_only && b->read_only)
		return false;
	return a->disk.first < b_end && b->disk.first < a_end;
}

static struct aoetgt_target *aoetgt_target_clash(const struct aoetgt_target *t)
{
	struct aoetgt_target *other;

	lockdep_assert_held(&aoetgt_targets_lock);
	list_for_each_entry(other, &aoetgt_targets, enabled_node)
		if (other != t && aoetgt_disks_clash(t, other))
			return other;
	return NULL;
}

/* The size of a disk can change, and a disk can go, without anybody telling us. */
static void aoetgt_target_look(struct aoetgt_target *t)
{
	sector_t capacity = aoetgt_disk_capacity(&t->disk);

	if (!t->offline && !aoetgt_disk_alive(&t->disk)) {
		t->offline = true;
		aoetgt_err(t, "device %s is gone", t->device);
		return;
	}
	if (t->offline || capacity == t->announced)
		return;
	aoetgt_info(t, "size changed from %llu to %llu sectors", t->announced, capacity);
	t->announced = capacity;
	aoetgt_bindings_advertise(t);
}

static void aoetgt_watch(struct work_struct *work);
static DECLARE_DELAYED_WORK(aoetgt_watch_work, aoetgt_watch);

static void aoetgt_watch(struct work_struct *work)
{
	struct aoetgt_target *t;

	mutex_lock(&aoetgt_targets_lock);
	list_for_each_entry(t, &aoetgt_targets, enabled_node)
		aoetgt_target_look(t);
	if (!list_empty(&aoetgt_targets))
		queue_delayed_work(aoetgt_wq, &aoetgt_watch_work, AOETGT_WATCH_INTERVAL);
	mutex_unlock(&aoetgt_targets_lock);
}

static void aoetgt_target_drained(struct percpu_ref *refs)
{
	complete(&container_of(refs, struct aoetgt_target, refs)->drained);
}

/**
 * aoetgt_target_default_serial() - a serial that is stable and unique
 * @t: the target, under its lock or not yet visible
 *
 * Made of the address and of the machine: its UUID if the firmware has one,
 * else its host name.
 */
void aoetgt_target_default_serial(struct aoetgt_target *t)
{
	static const siphash_key_t key = { { 0x616f657467740001, 0x73657269616c0001 } };
	const char *machine = dmi_get_system_info(DMI_PRODUCT_UUID);

	if (!machine || !*machine)
		machine = init_utsname()->nodename;
	snprintf(t->serial, sizeof(t->serial), "e%u.%u-%08x", t->shelf, t->slot,
		 (u32)siphash(machine, strlen(machine), &key));
}

/**
 * aoetgt_target_create() - make a target with safe defaults
 * @shelf: its shelf
 * @slot: its slot
 *
 * Context: process.
 * Return: the target, disabled; NULL without memory.
 */
struct aoetgt_target *aoetgt_target_create(u16 shelf, u8 slot)
{
	struct aoetgt_target *t = kmem_cache_zalloc(aoetgt_target_cache, GFP_KERNEL);

	if (!t)
		return NULL;
	t->shelf = shelf;
	t->slot = slot;
	t->buffer_count = AOETGT_BUFFERS_DEFAULT;
	t->min_sectors = AOE_SECTORS_MAX;
	strscpy(t->model, AOETGT_MODEL, sizeof(t->model));
	strscpy(t->firmware, AOETGT_VERSION, sizeof(t->firmware));
	aoetgt_target_default_serial(t);
	mutex_init(&t->lock);
	mutex_init(&t->wire_lock);
	init_completion(&t->drained);
	INIT_LIST_HEAD(&t->bindings);
	INIT_LIST_HEAD(&t->enabled_node);
	init_llist_head(&t->rx);
	init_llist_head(&t->done);
	INIT_WORK(&t->work, aoetgt_target_ops->target_work);
	INIT_WORK(&t->done_work, aoetgt_target_ops->done_work);
	aoetgt_stats_init(&t->stats);
	return t;
}

static void aoetgt_target_free(struct aoetgt_target *t)
{
	kfree_rcu(rcu_dereference_protected(t->mask, true), rcu);
	kfree_rcu(rcu_dereference_protected(t->reserve, true), rcu);
	aoetgt_stats_exit(&t->stats);
	mutex_destroy(&t->wire_lock);
	mutex_destroy(&t->lock);
	kfree(t->config);
	kfree(t->cgroup);
	kfree(t->device);
	kmem_cache_free(aoetgt_target_cache, t);
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
	case -EOPNOTSUPP:
		return "its logical sectors are not 512 bytes";
	}
	return "open failed";
}

static int aoetgt_target_open(struct aoetgt_target *t)
{
	int err = -ENOENT;

	t->disk.first = t->offset;
	t->disk.length = t->length;
	if (!t->device) {
		aoetgt_err(t, "cannot enable: device is not set: %pe", ERR_PTR(err));
		return err;
	}
	err = aoetgt_disk_open(&t->disk, t->device, t->read_only);
	if (err) {
		aoetgt_err(t, "cannot enable: device %s: %s: %pe", t->device,
			   aoetgt_open_reason(err), ERR_PTR(err));
		return err;
	}
	if (t->cgroup)
		err = aoetgt_disk_set_cgroup(&t->disk, t->cgroup);
	if (err) {
		aoetgt_err(t, "cannot enable: cgroup %s: %pe", t->cgroup, ERR_PTR(err));
		aoetgt_disk_close(&t->disk);
	}
	return err;
}

/* From here on nobody else gets this window. */
static int aoetgt_target_claim(struct aoetgt_target *t)
{
	struct aoetgt_target *other;

	mutex_lock(&aoetgt_targets_lock);
	other = aoetgt_target_clash(t);
	if (other) {
		aoetgt_err(t, "cannot enable: device %s: target e%u.%u exports the same sectors: %pe",
			   t->device, other->shelf, other->slot, ERR_PTR(-EBUSY));
	} else {
		list_add_tail(&t->enabled_node, &aoetgt_targets);
		queue_delayed_work(aoetgt_wq, &aoetgt_watch_work, AOETGT_WATCH_INTERVAL);
	}
	mutex_unlock(&aoetgt_targets_lock);
	return other ? -EBUSY : 0;
}

static void aoetgt_target_unclaim(struct aoetgt_target *t)
{
	mutex_lock(&aoetgt_targets_lock);
	list_del_init(&t->enabled_node);
	mutex_unlock(&aoetgt_targets_lock);
}

/**
 * aoetgt_target_enable() - open the disk and publish the target
 * @t: the target, its lock held
 *
 * Publishing comes last: whoever finds the target can use it.
 *
 * Context: process, sleeps; takes RTNL.
 * Return: 0, or -errno with one line in the log.
 */
int aoetgt_target_enable(struct aoetgt_target *t)
{
	int err;

	lockdep_assert_held(&t->lock);
	if (t->draining) {
		aoetgt_err(t, "cannot enable: device %s does not end its I/O: %pe", t->device,
			   ERR_PTR(-EBUSY));
		return -EBUSY;
	}
	err = aoetgt_target_open(t);
	if (err)
		return err;
	t->write_cache = t->write_back;
	t->look_ahead = true;
	t->offline = false;
	t->announced = aoetgt_disk_capacity(&t->disk);
	reinit_completion(&t->drained);
	err = percpu_ref_init(&t->refs, aoetgt_target_drained, 0, GFP_KERNEL);
	if (err)
		goto out_close;
	err = aoetgt_target_claim(t);
	if (err)
		goto out_ref;
	err = aoetgt_bindings_publish(t);
	if (err) {
		aoetgt_err(t, "cannot enable: %pe", ERR_PTR(err));
		goto out_claim;
	}
	t->enabled = true;
	aoetgt_info(t, "online: %s, %llu sectors", t->device, t->announced);
	return 0;
out_claim:
	/* Requests may have come in already. */
	percpu_ref_kill(&t->refs);
	wait_for_completion(&t->drained);
	flush_work(&t->work);
	flush_work(&t->done_work);
	aoetgt_target_unclaim(t);
out_ref:
	percpu_ref_exit(&t->refs);
out_close:
	aoetgt_disk_close(&t->disk);
	return err;
}

/**
 * aoetgt_target_withdraw() - stop new requests
 * @t: the target, its lock held
 *
 * Unpublished first: once percpu_ref_kill()'s grace period is over, no
 * receiver can have found the target without holding it.
 *
 * Context: process, takes RTNL; does not wait for I/O.
 */
void aoetgt_target_withdraw(struct aoetgt_target *t)
{
	lockdep_assert_held(&t->lock);
	if (!t->enabled)
		return;
	t->enabled = false;
	t->draining = true;
	aoetgt_bindings_withdraw(t);
	percpu_ref_kill(&t->refs);
}

/*
 * The drain is over: the works may still be on their last lines.  The window
 * stays claimed until here, so that nobody can write there beside our last I/O.
 */
static void aoetgt_target_close(struct aoetgt_target *t)
{
	percpu_ref_exit(&t->refs);
	cancel_work_sync(&t->work);
	cancel_work_sync(&t->done_work);
	aoetgt_target_unclaim(t);
	aoetgt_disk_close(&t->disk);
	t->draining = false;
	aoetgt_info(t, "disabled");
}

/**
 * aoetgt_target_disable() - take a target offline
 * @t: the target, its lock held
 *
 * Requests that wait are dropped, those at the disk are waited for, within
 * reason: the caller holds off rmdir, and that holds off mkdir elsewhere.
 *
 * Context: process, sleeps.
 * Return: 0; -EBUSY if the disk does not end its I/O, in which case the target
 * is withdrawn and this can be tried again.
 */
int aoetgt_target_disable(struct aoetgt_target *t)
{
	aoetgt_target_withdraw(t);
	if (!t->draining)
		return 0;
	if (!wait_for_completion_timeout(&t->drained, AOETGT_DISABLE_PATIENCE)) {
		aoetgt_err(t, "cannot disable: device %s does not end its I/O: %pe", t->device,
			   ERR_PTR(-EBUSY));
		return -EBUSY;
	}
	aoetgt_target_close(t);
	return 0;
}

static void aoetgt_target_reap(struct work_struct *work)
{
	struct aoetgt_target *t = container_of(work, struct aoetgt_target, reap_work);

	wait_for_completion(&t->drained);
	aoetgt_target_close(t);
	aoetgt_target_free(t);
	if (atomic_dec_and_test(&aoetgt_reaping))
		wake_up_var(&aoetgt_reaping);
}

/**
 * aoetgt_target_release() - the directory is gone: drain and free
 * @t: the target, withdrawn
 *
 * rmdir holds the lock of the parent directory while it is here, so a disk
 * that does not answer must not keep it: after a second the rest is done in
 * the background.
 *
 * Context: process, sleeps.
 */
void aoetgt_target_release(struct aoetgt_target *t)
{
	if (t->draining && !wait_for_completion_timeout(&t->drained, AOETGT_RMDIR_PATIENCE)) {
		aoetgt_info(t, "device %s does not end its I/O, closing it in the background",
			    t->device);
		atomic_inc(&aoetgt_reaping);
		INIT_WORK(&t->reap_work, aoetgt_target_reap);
		queue_work(aoetgt_wq, &t->reap_work);
		return;
	}
	if (t->draining)
		aoetgt_target_close(t);
	aoetgt_target_free(t);
}

/**
 * aoetgt_target_set_read_only() - change whether clients may write
 * @t: the target, its lock held
 * @read_only: the new setting
 *
 * Context: process.
 * Return: 0; -EROFS if the device cannot be written; -EBUSY if another target
 * exports the same sectors; one line in the log then.
 */
int aoetgt_target_set_read_only(struct aoetgt_target *t, bool read_only)
{
	struct aoetgt_target *other;
	bool was = t->read_only;
	int err = 0;

	lockdep_assert_held(&t->lock);
	if (t->enabled && !read_only && !t->disk.writable) {
		aoetgt_err(t, "read_only: 0: device %s is read-only: %pe", t->device,
			   ERR_PTR(-EROFS));
		return -EROFS;
	}
	mutex_lock(&aoetgt_targets_lock);
	WRITE_ONCE(t->read_only, read_only);
	other = t->enabled ? aoetgt_target_clash(t) : NULL;
	if (other) {
		err = -EBUSY;
		WRITE_ONCE(t->read_only, was);
		aoetgt_err(t, "read_only: 0: target e%u.%u exports the same sectors: %pe",
			   other->shelf, other->slot, ERR_PTR(err));
	}
	mutex_unlock(&aoetgt_targets_lock);
	return err;
}

/**
 * aoetgt_target_state() - how a target fares
 * @t: the target, its lock held
 *
 * Return: "disabled"; "online"; "offline" when its device is gone; "draining"
 * when it was disabled and the device has not ended its I/O.
 */
const char *aoetgt_target_state(struct aoetgt_target *t)
{
	lockdep_assert_held(&t->lock);
	if (t->draining)
		return "draining";
	if (!t->enabled)
		return "disabled";
	return aoetgt_disk_alive(&t->disk) ? "online" : "offline";
}

/**
 * aoetgt_targets_for_each() - visit the enabled targets
 * @fn: what to do with each
 * @m: passed on
 *
 * Context: process, sleeps; @fn must not.
 */
void aoetgt_targets_for_each(void (*fn)(struct aoetgt_target *t, struct seq_file *m),
			     struct seq_file *m)
{
	struct aoetgt_target *t;

	mutex_lock(&aoetgt_targets_lock);
	list_for_each_entry(t, &aoetgt_targets, enabled_node)
		fn(t, m);
	mutex_unlock(&aoetgt_targets_lock);
}

static bool aoetgt_macs_admit(struct aoetgt_macs __rcu **slot, const u8 *mac)
{
	const struct aoetgt_macs *macs;
	bool admit;

	rcu_read_lock();
	macs = rcu_dereference(*slot);
	admit = !macs || aoe_maclist_find(&macs->list, mac) >= 0;
	rcu_read_unlock();
	return admit;
}

/**
 * aoetgt_target_allows() - does the mask let this client in?
 * @t: the target
 * @mac: the client
 *
 * Context: any.  Section 2.5.
 */
bool aoetgt_target_allows(struct aoetgt_target *t, const u8 *mac)
{
	return aoetgt_macs_admit(&t->mask, mac);
}

/**
 * aoetgt_target_may_ata() - does the reservation let this client use the disk?
 * @t: the target
 * @mac: the client
 *
 * Context: any.  Section 2.6.
 */
bool aoetgt_target_may_ata(struct aoetgt_target *t, const u8 *mac)
{
	return aoetgt_macs_admit(&t->reserve, mac);
}

/**
 * aoetgt_target_macs() - the entries of a list
 * @t: the target, its wire_lock held for as long as the entries are used
 * @macs: t->mask or t->reserve
 *
 * Return: the entries; an empty list where there is none.
 */
const struct aoe_maclist *aoetgt_target_macs(struct aoetgt_target *t,
					     struct aoetgt_macs __rcu *macs)
{
	static const struct aoe_maclist nobody;
	const struct aoetgt_macs *p;

	p = rcu_dereference_protected(macs, lockdep_is_held(&t->wire_lock));
	return p ? &p->list : &nobody;
}

/**
 * aoetgt_target_set_macs() - replace a list
 * @t: the target, its wire_lock held
 * @slot: &t->mask or &t->reserve
 * @macs: the new list, which now belongs to the target; empty for none
 *
 * Context: process.
 */
void aoetgt_target_set_macs(struct aoetgt_target *t, struct aoetgt_macs __rcu **slot,
			    struct aoetgt_macs *macs)
{
	struct aoetgt_macs *old;

	if (!macs->list.n) {
		kfree(macs);
		macs = NULL;
	}
	old = rcu_replace_pointer(*slot, macs, lockdep_is_held(&t->wire_lock));
	kfree_rcu(old, rcu);
}

/**
 * aoetgt_target_init() - be ready for targets
 * @ops: where their work goes
 *
 * Return: 0 or -ENOMEM.
 */
int aoetgt_target_init(const struct aoetgt_ops *ops)
{
	aoetgt_target_ops = ops;
	aoetgt_target_cache = kmem_cache_create("aoetgt_target", sizeof(struct aoetgt_target),
						0, 0, NULL);
	return aoetgt_target_cache ? 0 : -ENOMEM;
}

/**
 * aoetgt_target_exit() - wait for the last targets and forget about them
 *
 * Context: process, sleeps; configfs is gone already.
 */
void aoetgt_target_exit(void)
{
	wait_var_event(&aoetgt_reaping, !atomic_read(&aoetgt_reaping));
	cancel_delayed_work_sync(&aoetgt_watch_work);
	kmem_cache_destroy(aoetgt_target_cache);
}
