// SPDX-License-Identifier: GPL-2.0
/*
 * Where targets are exported: bindings, which name an interface and outlive
 * it, and ifaces, one for each net device in use.
 *
 * Bindings, ifaces and the lookup tables belong to RTNL, because the notifier
 * arrives with it.  The receive path reads a lookup table under RCU.
 *
 * What a binding needs of memory is asked for with __GFP_NOFAIL: when an
 * interface comes back there is nobody to tell, and nobody who would try again.
 */
#include <linux/if_arp.h>
#include <linux/nsproxy.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <net/net_namespace.h>

#include "aoetgt.h"

#define AOETGT_ADVERTISE	XA_MARK_0	/* this target is to be advertised here */

static LIST_HEAD(aoetgt_ifaces);	/* RTNL */
static LIST_HEAD(aoetgt_bindings);	/* RTNL */
static const struct aoetgt_ops *aoetgt_iface_ops;
static u32 aoetgt_iface_ids;		/* handed out so far; RTNL */
/* Of their own, so that one that is left over shows when the cache goes. */
static struct kmem_cache *aoetgt_iface_cache;

static bool aoetgt_dev_carries(struct net_device *dev)
{
	return netif_running(dev) && netif_carrier_ok(dev);
}

static struct aoetgt_iface *aoetgt_iface_find_rtnl(struct net_device *dev)
{
	struct aoetgt_iface *iface;

	ASSERT_RTNL();
	list_for_each_entry(iface, &aoetgt_ifaces, node)
		if (rtnl_dereference(iface->dev) == dev)
			return iface;
	return NULL;
}

static struct aoetgt_iface *aoetgt_iface_create_rtnl(struct net_device *dev,
						     const struct aoetgt_binding *b)
{
	struct aoetgt_iface *iface = kmem_cache_zalloc(aoetgt_iface_cache,
						       GFP_KERNEL | __GFP_NOFAIL);

	kref_init(&iface->ref);
	iface->id = ++aoetgt_iface_ids;
	xa_init(&iface->targets);
	skb_queue_head_init(&iface->wild);
	/* A driver that is loaded anew begins with a small MTU. */
	iface->mtu_before = b->mtu_before;
	iface->mtu_changed = b->detached;
	INIT_WORK(&iface->work, aoetgt_iface_ops->iface_work);
	netdev_hold(dev, &iface->tracker, GFP_KERNEL);
	rcu_assign_pointer(iface->dev, dev);
	list_add(&iface->node, &aoetgt_ifaces);
	iface->packet_type.type = htons(ETH_P_AOE);
	iface->packet_type.dev = dev;
	iface->packet_type.func = aoetgt_iface_ops->receive;
	iface->packet_type.af_packet_priv = iface;
	dev_add_pack(&iface->packet_type);
	return iface;
}

static void aoetgt_iface_free(struct kref *ref)
{
	struct aoetgt_iface *iface = container_of(ref, struct aoetgt_iface, ref);

	kmem_cache_free(aoetgt_iface_cache, iface);
}

/**
 * aoetgt_iface_put() - let an iface go
 * @iface: the iface
 *
 * Context: any but hard interrupt.
 */
void aoetgt_iface_put(struct aoetgt_iface *iface)
{
	kref_put(&iface->ref, aoetgt_iface_free);
}

/*
 * The last binding has left.  After dev_remove_pack() no handler can see the
 * iface; requests that still hold it find no device.
 */
static void aoetgt_iface_remove_rtnl(struct aoetgt_iface *iface)
{
	struct net_device *dev = rtnl_dereference(iface->dev);

	list_del(&iface->node);
	RCU_INIT_POINTER(iface->dev, NULL);
	dev_remove_pack(&iface->packet_type);
	/* With nothing to hand out its work queues no further: see aoetgt_iface_exit(). */
	skb_queue_purge(&iface->wild);
	netdev_put(dev, &iface->tracker);
	/* Not with the last reference: its lock is none for softirq. */
	xa_destroy(&iface->targets);
	aoetgt_iface_put(iface);
}

/**
 * aoetgt_iface_dev_get() - the net device of an iface, for a moment
 * @iface: the iface, held by the caller
 *
 * Context: process or softirq.
 * Return: the device, to be put soon and never held across disk I/O; NULL
 * once it is gone.
 */
struct net_device *aoetgt_iface_dev_get(struct aoetgt_iface *iface)
{
	struct net_device *dev;

	/* The cheapest kind for so little; a device that goes waits for all kinds. */
	rcu_read_lock_sched();
	dev = rcu_dereference_sched(iface->dev);
	dev_hold(dev);
	rcu_read_unlock_sched();
	return dev;
}

/**
 * aoetgt_iface_mtu() - MTU of an iface at this moment
 * @iface: the iface, held by the caller
 *
 * Return: bytes; 0 once the device is gone.
 */
unsigned int aoetgt_iface_mtu(struct aoetgt_iface *iface)
{
	struct net_device *dev;
	unsigned int mtu = 0;

	rcu_read_lock_sched();
	dev = rcu_dereference_sched(iface->dev);
	if (dev)
		mtu = READ_ONCE(dev->mtu);
	rcu_read_unlock_sched();
	return mtu;
}

/**
 * aoetgt_iface_mtu_before() - MTU that clients may still reckon with
 * @iface: the iface, held by the caller
 *
 * They hear of a smaller one by an advertisement, which can be lost; and it may be
 * large again soon, as when the interface is set up anew.
 *
 * Context: any; for one who has seen the smaller MTU already.
 * Return: bytes, the largest before the changes of the last AOETGT_SHRUNK_NS; 0 if none.
 */
unsigned int aoetgt_iface_mtu_before(struct aoetgt_iface *iface)
{
	/* Pairs with aoetgt_iface_mtu_changes_rtnl(): the MTU was read before this. */
	smp_rmb();
	if (ktime_get_ns() >= READ_ONCE(iface->mtu_changed) + AOETGT_SHRUNK_NS)
		return 0;
	return READ_ONCE(iface->mtu_before);
}

/* The device has its old MTU still; it may grow, too, and then nobody asks. */
static void aoetgt_iface_mtu_changes_rtnl(struct aoetgt_iface *iface, unsigned int mtu)
{
	WRITE_ONCE(iface->mtu_before, max(mtu, aoetgt_iface_mtu_before(iface)));
	WRITE_ONCE(iface->mtu_changed, ktime_get_ns());
	/* Pairs with aoetgt_iface_mtu_before(): who sees the new MTU sees these. */
	smp_wmb();
}

/**
 * aoetgt_iface_kick() - have the work of an iface run
 * @iface: the iface, held by the caller
 *
 * Context: any but hard interrupt.
 */
void aoetgt_iface_kick(struct aoetgt_iface *iface)
{
	kref_get(&iface->ref);
	if (!queue_work(aoetgt_wq, &iface->work))
		aoetgt_iface_put(iface);
}

/**
 * aoetgt_iface_queue_wild() - keep a frame for more than one target
 * @iface: where it came in
 * @skb: the frame
 *
 * Context: softirq.
 * Return: false, and the frame is still the caller's, if too many wait.
 */
bool aoetgt_iface_queue_wild(struct aoetgt_iface *iface, struct sk_buff *skb)
{
	if (skb_queue_len_lockless(&iface->wild) >= AOETGT_WILD_MAX)
		return false;
	skb_queue_tail(&iface->wild, skb);
	aoetgt_iface_kick(iface);
	return true;
}

/**
 * aoetgt_iface_next() - walk the targets of an iface
 * @iface: the iface, held by the caller
 * @address: where to begin; moved behind the target that is returned
 * @advertise: only those that wait to be advertised, which they then do not
 *
 * Context: process.
 * Return: a target with its refs held, NULL at the end.
 */
struct aoetgt_target *aoetgt_iface_next(struct aoetgt_iface *iface, unsigned long *address,
					bool advertise)
{
	xa_mark_t filter = advertise ? AOETGT_ADVERTISE : XA_PRESENT;
	struct aoetgt_target *t;

	for (;;) {
		rcu_read_lock();
		t = xa_find(&iface->targets, address, ULONG_MAX, filter);
		if (t && !percpu_ref_tryget_live_rcu(&t->disk.refs)) {
			rcu_read_unlock();
			++*address;
			continue;
		}
		rcu_read_unlock();
		if (!t)
			return NULL;
		if (advertise)
			xa_clear_mark(&iface->targets, *address, AOETGT_ADVERTISE);
		++*address;
		return t;
	}
}

static void aoetgt_iface_advertise_all_rtnl(struct aoetgt_iface *iface)
{
	struct aoetgt_target *t;
	unsigned long address;

	if (!aoetgt_dev_carries(rtnl_dereference(iface->dev)))
		return;
	xa_for_each(&iface->targets, address, t)
		xa_set_mark(&iface->targets, address, AOETGT_ADVERTISE);
	aoetgt_iface_kick(iface);
}

/* A TRIM payload has to fit whatever way it comes. */
static void aoetgt_target_min_sectors_rtnl(struct aoetgt_target *t)
{
	u8 sectors = AOE_SECTORS_MAX;
	struct aoetgt_binding *b;

	ASSERT_RTNL();
	list_for_each_entry(b, &t->bindings, target_node)
		if (b->iface)
			sectors = min(sectors, aoe_sectors(aoetgt_iface_mtu(b->iface), 0));
	WRITE_ONCE(t->min_sectors, sectors);
}

static unsigned long aoetgt_binding_address(const struct aoetgt_binding *b)
{
	return aoetgt_address(b->target->shelf, b->target->slot);
}

static void aoetgt_binding_publish_rtnl(struct aoetgt_binding *b)
{
	unsigned long address = aoetgt_binding_address(b);

	xa_store(&b->iface->targets, address, b->target, GFP_KERNEL | __GFP_NOFAIL);
	if (aoetgt_dev_carries(rtnl_dereference(b->iface->dev))) {
		xa_set_mark(&b->iface->targets, address, AOETGT_ADVERTISE);
		aoetgt_iface_kick(b->iface);
	}
}

static void aoetgt_binding_detach_rtnl(struct aoetgt_binding *b)
{
	struct aoetgt_iface *iface = b->iface;

	if (!iface)
		return;
	if (b->target->published)
		xa_erase(&iface->targets, aoetgt_binding_address(b));
	b->iface = NULL;
	b->mtu_before = aoetgt_iface_mtu(iface);
	b->detached = ktime_get_ns();
	aoetgt_target_min_sectors_rtnl(b->target);
	if (!--iface->bindings)
		aoetgt_iface_remove_rtnl(iface);
}

/* Return: why this net device cannot carry exports, NULL if it can. */
static const char *aoetgt_dev_unfit(struct net_device *dev, int *err)
{
	*err = -EINVAL;
	if ((dev->type != ARPHRD_ETHER && dev->type != ARPHRD_LOOPBACK) ||
	    dev->addr_len != ETH_ALEN)
		return "not an Ethernet interface";
	*err = -ERANGE;
	if (dev->mtu < AOE_MTU_MIN)
		return "MTU below 1042";
	return NULL;
}

static int aoetgt_binding_attach_rtnl(struct aoetgt_binding *b, struct net_device *dev)
{
	const struct aoetgt_binding *other;
	struct aoetgt_iface *iface;
	const char *why;
	int err;

	/* No event tells when an alternative name comes or goes. */
	err = -EINVAL;
	why = "an alternative name of an interface";
	if (strcmp(b->ifname, dev->name))
		goto refuse;
	why = aoetgt_dev_unfit(dev, &err);
	if (why)
		goto refuse;
	iface = aoetgt_iface_find_rtnl(dev);
	err = -EEXIST;
	why = "this interface is bound under an older name";
	list_for_each_entry(other, &b->target->bindings, target_node)
		if (iface && other->iface == iface)
			goto refuse;
	if (!iface)
		iface = aoetgt_iface_create_rtnl(dev, b);
	b->iface = iface;
	iface->bindings++;
	aoetgt_target_min_sectors_rtnl(b->target);
	if (b->target->published)
		aoetgt_binding_publish_rtnl(b);
	return 0;
refuse:
	aoetgt_err(&b->target->disk, "cannot use interface %s: %s: %pe", dev->name, why,
		   ERR_PTR(err));
	return err;
}

/* A device has appeared under this name: here, or by renaming or moving. */
static void aoetgt_dev_appeared_rtnl(struct net_device *dev)
{
	struct aoetgt_binding *b;

	list_for_each_entry(b, &aoetgt_bindings, node)
		if (!b->iface && b->net == dev_net(dev) && !strcmp(b->ifname, dev->name))
			aoetgt_binding_attach_rtnl(b, dev);
}

/**
 * aoetgt_binding_create() - export a target on an interface
 * @t: the target
 * @ifname: name of the interface in the caller's network namespace; it need
 * not exist yet
 *
 * Context: process, takes RTNL.
 * Return: the binding; ERR_PTR of -EINVAL, -ERANGE, -EEXIST or -ENOMEM.
 */
struct aoetgt_binding *aoetgt_binding_create(struct aoetgt_target *t, const char *ifname)
{
	struct aoetgt_binding *b = kzalloc(sizeof(*b), GFP_KERNEL);
	struct net_device *dev;
	int err = 0;

	if (!b)
		return ERR_PTR(-ENOMEM);
	b->target = t;
	strscpy(b->ifname, ifname, sizeof(b->ifname));

	rtnl_lock();
	b->net = current->nsproxy->net_ns;
	list_add_tail(&b->target_node, &t->bindings);
	list_add_tail(&b->node, &aoetgt_bindings);
	dev = __dev_get_by_name(b->net, ifname);
	if (dev)
		err = aoetgt_binding_attach_rtnl(b, dev);
	if (err) {
		list_del(&b->target_node);
		list_del(&b->node);
	}
	rtnl_unlock();

	if (!err)
		return b;
	kfree(b);
	return ERR_PTR(err);
}

/**
 * aoetgt_binding_remove() - withdraw a target from an interface
 * @b: the binding, freed by its config_item later
 *
 * Context: process, takes RTNL; never waits for I/O.
 */
void aoetgt_binding_remove(struct aoetgt_binding *b)
{
	struct net_device *dev;

	rtnl_lock();
	dev = b->iface ? rtnl_dereference(b->iface->dev) : NULL;
	aoetgt_binding_detach_rtnl(b);
	list_del(&b->target_node);
	list_del(&b->node);
	/* Another one may have its present name, and was refused because of this. */
	if (dev)
		aoetgt_dev_appeared_rtnl(dev);
	rtnl_unlock();
}

/**
 * aoetgt_binding_state() - how a binding fares
 * @b: the binding
 *
 * Context: process, takes RTNL.
 * Return: "up", "down" or "missing".
 */
const char *aoetgt_binding_state(struct aoetgt_binding *b)
{
	const char *state = "missing";

	rtnl_lock();
	if (b->iface)
		state = aoetgt_dev_carries(rtnl_dereference(b->iface->dev)) ? "up" : "down";
	rtnl_unlock();
	return state;
}

/**
 * aoetgt_binding_netdev() - present name of the interface of a binding
 * @b: the binding
 * @name: where to, IFNAMSIZ bytes; empty while the interface is missing
 *
 * Context: process, takes RTNL.
 */
void aoetgt_binding_netdev(struct aoetgt_binding *b, char *name)
{
	rtnl_lock();
	strscpy(name, b->iface ? rtnl_dereference(b->iface->dev)->name : "", IFNAMSIZ);
	rtnl_unlock();
}

/**
 * aoetgt_bindings_publish() - make a target visible on its interfaces
 * @t: the target, able to take requests
 *
 * Context: process, takes RTNL.
 */
void aoetgt_bindings_publish(struct aoetgt_target *t)
{
	struct aoetgt_binding *b;

	rtnl_lock();
	list_for_each_entry(b, &t->bindings, target_node)
		if (b->iface)
			aoetgt_binding_publish_rtnl(b);
	t->published = true;
	rtnl_unlock();
}

/**
 * aoetgt_bindings_withdraw() - make a target invisible
 * @t: the target; requests that have it already go on
 *
 * Context: process, takes RTNL; never waits for I/O.
 */
void aoetgt_bindings_withdraw(struct aoetgt_target *t)
{
	struct aoetgt_binding *b;

	rtnl_lock();
	list_for_each_entry(b, &t->bindings, target_node)
		if (b->iface)
			xa_erase(&b->iface->targets, aoetgt_binding_address(b));
	t->published = false;
	rtnl_unlock();
}

/**
 * aoetgt_bindings_advertise() - tell everybody that a target has changed
 * @t: the target
 *
 * Context: process, takes RTNL; the frames are sent later.
 */
void aoetgt_bindings_advertise(struct aoetgt_target *t)
{
	struct aoetgt_binding *b;

	rtnl_lock();
	list_for_each_entry(b, &t->bindings, target_node) {
		if (!t->published || !b->iface ||
		    !aoetgt_dev_carries(rtnl_dereference(b->iface->dev)))
			continue;
		xa_set_mark(&b->iface->targets, aoetgt_binding_address(b), AOETGT_ADVERTISE);
		aoetgt_iface_kick(b->iface);
	}
	rtnl_unlock();
}

/* Also raised for a device that only moves to another namespace. */
static void aoetgt_dev_gone_rtnl(struct net_device *dev)
{
	struct aoetgt_iface *iface = aoetgt_iface_find_rtnl(dev);
	struct aoetgt_binding *b;

	if (!iface)
		return;
	/* The last one to detach frees the iface: compare only, from there on. */
	list_for_each_entry(b, &aoetgt_bindings, node)
		if (b->iface == iface)
			aoetgt_binding_detach_rtnl(b);
}

static void aoetgt_dev_mtu_rtnl(struct aoetgt_iface *iface)
{
	struct aoetgt_binding *b;

	list_for_each_entry(b, &aoetgt_bindings, node)
		if (b->iface == iface)
			aoetgt_target_min_sectors_rtnl(b->target);
}

static int aoetgt_netdev_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	struct aoetgt_iface *iface;

	switch (event) {
	case NETDEV_CHANGENAME:
		iface = aoetgt_iface_find_rtnl(dev);
		if (iface)
			WRITE_ONCE(iface->id, ++aoetgt_iface_ids);
		fallthrough;
	case NETDEV_REGISTER:
		aoetgt_dev_appeared_rtnl(dev);
		break;
	case NETDEV_UNREGISTER:
		aoetgt_dev_gone_rtnl(dev);
		break;
	case NETDEV_PRE_TYPE_CHANGE:
		/* As with a first InfiniBand port in a bond: its addresses are longer. */
		return aoetgt_iface_find_rtnl(dev) ? NOTIFY_BAD : NOTIFY_DONE;
	case NETDEV_PRECHANGEMTU:
		iface = aoetgt_iface_find_rtnl(dev);
		if (iface)
			aoetgt_iface_mtu_changes_rtnl(iface, dev->mtu);
		break;
	case NETDEV_UP:
	case NETDEV_CHANGE:
	case NETDEV_CHANGEADDR:
	case NETDEV_CHANGEMTU:
		iface = aoetgt_iface_find_rtnl(dev);
		/* It may have become fit to be used. */
		if (!iface && event == NETDEV_CHANGEMTU)
			aoetgt_dev_appeared_rtnl(dev);
		if (!iface)
			break;
		if (event == NETDEV_CHANGEMTU)
			aoetgt_dev_mtu_rtnl(iface);
		aoetgt_iface_advertise_all_rtnl(iface);
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block aoetgt_netdev_notifier = {
	.notifier_call = aoetgt_netdev_event,
};

/* Bindings do not keep a namespace alive; they lose it. */
static void aoetgt_net_exit(struct net *net)
{
	struct aoetgt_binding *b;

	rtnl_lock();
	list_for_each_entry(b, &aoetgt_bindings, node) {
		if (b->net != net)
			continue;
		aoetgt_binding_detach_rtnl(b);
		b->net = NULL;
	}
	rtnl_unlock();
}

static struct pernet_operations aoetgt_net_ops = {
	.exit = aoetgt_net_exit,
};

/**
 * aoetgt_ifaces_show() - the interfaces in use, and frames that reached no target
 * @m: where to
 *
 * Context: process, takes RTNL.
 */
void aoetgt_ifaces_show(struct seq_file *m)
{
	struct aoetgt_iface *iface;
	unsigned int i;

	rtnl_lock();
	list_for_each_entry(iface, &aoetgt_ifaces, node) {
		struct net_device *dev = rtnl_dereference(iface->dev);

		seq_printf(m, "%s %u", dev->name, dev_net(dev)->ns.inum);
		for (i = 0; i < AOETGT_IFACE_STAT_NR; i++)
			seq_printf(m, " %llu", (u64)atomic64_read(&iface->count[i]));
		seq_putc(m, '\n');
	}
	rtnl_unlock();
}

/**
 * aoetgt_iface_init() - watch interfaces and namespaces
 * @ops: where frames and work go
 *
 * Return: 0 or -errno.
 */
int aoetgt_iface_init(const struct aoetgt_ops *ops)
{
	int err;

	aoetgt_iface_ops = ops;
	aoetgt_iface_cache = KMEM_CACHE(aoetgt_iface, 0);
	if (!aoetgt_iface_cache)
		return -ENOMEM;
	err = register_pernet_subsys(&aoetgt_net_ops);
	if (err)
		goto out_cache;
	err = register_netdevice_notifier(&aoetgt_netdev_notifier);
	if (!err)
		return 0;
	unregister_pernet_subsys(&aoetgt_net_ops);
out_cache:
	kmem_cache_destroy(aoetgt_iface_cache);
	return err;
}

/**
 * aoetgt_iface_exit() - undo aoetgt_iface_init(); no bindings are left
 */
void aoetgt_iface_exit(void)
{
	unregister_netdevice_notifier(&aoetgt_netdev_notifier);
	unregister_pernet_subsys(&aoetgt_net_ops);
	/* Work that was queued for an iface holds it until it has run. */
	flush_workqueue(aoetgt_wq);
	kmem_cache_destroy(aoetgt_iface_cache);
}
