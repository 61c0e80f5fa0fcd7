// SPDX-License-Identifier: GPL-2.0
/*
 * Views: a client, known by its MAC, sees a disk of its own where the others
 * see the target's.  One address serves a room of machines that boot from
 * overlays of one image.
 */
#include <linux/etherdevice.h>
#include <linux/jhash.h>
#include <linux/rculist.h>
#include <linux/slab.h>

#include "aoetgt.h"

static u32 aoetgt_view_key(const u8 *mac)
{
	return jhash(mac, ETH_ALEN, 0);
}

/**
 * aoetgt_view_create() - make a view without a device
 * @t: the target
 * @mac: the client
 *
 * Context: process.
 * Return: the view, disabled; NULL without memory.
 */
struct aoetgt_view *aoetgt_view_create(struct aoetgt_target *t, const u8 *mac)
{
	struct aoetgt_view *v = kzalloc(sizeof(*v), GFP_KERNEL);

	if (!v)
		return NULL;
	ether_addr_copy(v->mac, mac);
	INIT_HLIST_NODE(&v->node);
	snprintf(v->disk.label, sizeof(v->disk.label), "target e%u.%u view %pM",
		 t->shelf, t->slot, mac);
	aoetgt_disk_init(&v->disk, t);
	mutex_lock(&t->wire_lock);
	hash_add_rcu(t->views, &v->node, aoetgt_view_key(v->mac));
	WRITE_ONCE(t->nr_views, t->nr_views + 1);
	mutex_unlock(&t->wire_lock);
	return v;
}

/**
 * aoetgt_view_enable() - show the client its disk
 * @v: the view, its target's lock held
 *
 * Context: process, sleeps.
 * Return: 0, or -errno with one line in the log.
 */
int aoetgt_view_enable(struct aoetgt_view *v)
{
	struct aoetgt_target *t = v->disk.target;
	int err;

	err = aoetgt_disk_start(&v->disk, t->cgroup);
	if (err)
		return err;
	/* Pairs with aoetgt_view_disk_get(): the refs are ready. */
	smp_store_release(&v->enabled, true);
	aoetgt_bindings_advertise(t);
	aoetgt_info(&v->disk, "online: %s, %llu sectors", v->disk.path, v->disk.announced);
	return 0;
}

/* Nobody else enables or disables it: the target's lock is held, or its directory goes. */
static void aoetgt_view_stop_using(struct aoetgt_view *v)
{
	if (!v->enabled)
		return;
	WRITE_ONCE(v->enabled, false);
	aoetgt_disk_kill(&v->disk);
}

/**
 * aoetgt_view_withdraw() - the client sees the target's disk from now on
 * @v: the view, whose directory goes, so that nobody writes its attributes
 *
 * Without the target's lock: configfs keeps every mkdir and rmdir waiting meanwhile,
 * and who holds that lock may wait for a disk.
 *
 * Context: process; does not wait for I/O.
 */
void aoetgt_view_withdraw(struct aoetgt_view *v)
{
	struct aoetgt_target *t = v->disk.target;

	mutex_lock(&t->wire_lock);
	hash_del_rcu(&v->node);
	WRITE_ONCE(t->nr_views, t->nr_views - 1);
	mutex_unlock(&t->wire_lock);
	aoetgt_view_stop_using(v);
}

/**
 * aoetgt_view_disable() - take the disk of a view offline
 * @v: the view, its target's lock held
 *
 * The client is told that its disk is not available.
 *
 * Context: process, sleeps.
 * Return: 0 or -EBUSY, see aoetgt_disk_stop().
 */
int aoetgt_view_disable(struct aoetgt_view *v)
{
	aoetgt_view_stop_using(v);
	return aoetgt_disk_stop(&v->disk);
}

/* A receiver may still be looking at one that was never enabled. */
static void aoetgt_view_free(struct aoetgt_disk *disk)
{
	struct aoetgt_view *v = container_of(disk, struct aoetgt_view, disk);

	kfree(disk->path);
	kfree_rcu(v, rcu);
}

/**
 * aoetgt_view_release() - the directory is gone: drain and free
 * @v: the view, withdrawn
 *
 * Context: process, sleeps.
 */
void aoetgt_view_release(struct aoetgt_view *v)
{
	aoetgt_disk_release(&v->disk, aoetgt_view_free);
}

/**
 * aoetgt_view_disk_get() - the disk that a client has for itself
 * @t: the target
 * @mac: the client
 *
 * A client whose view is disabled never falls back to the disk of the others:
 * it may have mounted its own.
 *
 * Context: any.
 * Return: the disk with its refs held; NULL if the client has no view; ERR_PTR
 * of -ENODEV if its view is disabled.
 */
struct aoetgt_disk *aoetgt_view_disk_get(struct aoetgt_target *t, const u8 *mac)
{
	struct aoetgt_disk *disk = NULL;
	struct aoetgt_view *v;

	if (!READ_ONCE(t->nr_views))
		return NULL;
	rcu_read_lock();
	hash_for_each_possible_rcu(t->views, v, node, aoetgt_view_key(mac)) {
		if (!ether_addr_equal(v->mac, mac))
			continue;
		/* Pairs with aoetgt_view_enable(). */
		if (smp_load_acquire(&v->enabled) && percpu_ref_tryget_live_rcu(&v->disk.refs))
			disk = &v->disk;
		else
			disk = ERR_PTR(-ENODEV);
		break;
	}
	rcu_read_unlock();
	return disk;
}
