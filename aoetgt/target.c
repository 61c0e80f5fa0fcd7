// SPDX-License-Identifier: GPL-2.0
/* Targets: creation, going online, draining, and what clients may change. */
#include <linux/dmi.h>
#include <linux/siphash.h>
#include <linux/slab.h>
#include <linux/utsname.h>

#include "aoetgt.h"

static struct kmem_cache *aoetgt_target_cache;

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
	snprintf(t->disk.label, sizeof(t->disk.label), "target e%u.%u", shelf, slot);
	aoetgt_disk_init(&t->disk, t);
	aoetgt_order_init(&t->order);
	hash_init(t->views);
	INIT_LIST_HEAD(&t->bindings);
	init_llist_head(&t->rx);
	aoetgt_target_idle(t);
	aoetgt_stats_init(&t->stats);
	return t;
}

/* Requests are over, but a thread may still be on its last lines. */
static void aoetgt_target_free(struct aoetgt_disk *disk)
{
	struct aoetgt_target *t = disk->target;

	aoetgt_target_forget(t);
	kfree_rcu(rcu_dereference_protected(t->mask, true), rcu);
	kfree_rcu(rcu_dereference_protected(t->reserve, true), rcu);
	aoetgt_stats_exit(&t->stats);
	mutex_destroy(&t->wire_lock);
	mutex_destroy(&t->lock);
	kfree(t->config);
	kfree(t->cgroup);
	kfree(disk->path);
	kmem_cache_free(aoetgt_target_cache, t);
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
	err = aoetgt_disk_start(&t->disk, t->cgroup);
	if (err)
		return err;
	t->write_cache = t->write_back;
	t->look_ahead = true;
	t->enabled = true;
	aoetgt_bindings_publish(t);
	aoetgt_info(&t->disk, "online: %s, %llu sectors", t->disk.path, t->disk.announced);
	return 0;
}

/**
 * aoetgt_target_withdraw() - stop new requests
 * @t: the target, its lock held
 *
 * Context: process, takes RTNL; does not wait for I/O.
 */
void aoetgt_target_withdraw(struct aoetgt_target *t)
{
	lockdep_assert_held(&t->lock);
	if (!t->enabled)
		return;
	t->enabled = false;
	aoetgt_bindings_withdraw(t);
	aoetgt_disk_kill(&t->disk);
}

/**
 * aoetgt_target_disable() - take a target offline
 * @t: the target, its lock held
 *
 * Requests that wait are dropped, those at the disk are waited for.
 *
 * Context: process, sleeps.
 * Return: 0 or -EBUSY, see aoetgt_disk_stop().
 */
int aoetgt_target_disable(struct aoetgt_target *t)
{
	aoetgt_target_withdraw(t);
	return aoetgt_disk_stop(&t->disk);
}

/**
 * aoetgt_target_release() - the directory is gone: drain and free
 * @t: the target, withdrawn, without views and bindings
 *
 * Context: process, sleeps.
 */
void aoetgt_target_release(struct aoetgt_target *t)
{
	aoetgt_disk_release(&t->disk, aoetgt_target_free);
}

static bool aoetgt_macs_admit(struct aoetgt_macs __rcu **slot, const u8 *mac)
{
	const struct aoetgt_macs *macs;
	bool admit;

	if (!rcu_access_pointer(*slot))
		return true;
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
 *
 * Return: 0 or -ENOMEM.
 */
int aoetgt_target_init(void)
{
	aoetgt_target_cache = kmem_cache_create("aoetgt_target", sizeof(struct aoetgt_target),
						__alignof__(struct aoetgt_target), 0, NULL);
	return aoetgt_target_cache ? 0 : -ENOMEM;
}

/**
 * aoetgt_target_exit() - undo aoetgt_target_init(); no targets are left
 */
void aoetgt_target_exit(void)
{
	kmem_cache_destroy(aoetgt_target_cache);
}
