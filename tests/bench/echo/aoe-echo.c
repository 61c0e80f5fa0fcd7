// SPDX-License-Identifier: GPL-2.0
/*
 * The floor of a target: answers every ATA read and write of any address from
 * the receive softirq, with data that come from nowhere and go nowhere. What a
 * target costs beyond this is its own doing, not the network's.
 *
 * Load it in the network namespace of the interface:
 *	nsenter --net=/run/netns/tgt insmod aoe-echo.ko ifname=tgt0
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/etherdevice.h>
#include <linux/if_ether.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/nsproxy.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/skbuff.h>

#define ECHO_RESPONSE	0x08
#define ECHO_ATA	0
#define ECHO_WRITE	0x01
#define ECHO_DRDY	0x40
/* Data for the largest read that a frame of 64 KiB can ask for. */
#define ECHO_ORDER	4

struct echo_hdr {
	struct ethhdr eth;
	u8 verfl;
	u8 error;
	__be16 shelf;
	u8 slot;
	u8 command;
	__be32 tag;
	u8 aflags;
	u8 feature;
	u8 count;
	u8 cmdstat;
	u8 lba[6];
	u8 reserved[2];
} __packed;

static char *ifname;
module_param(ifname, charp, 0444);
MODULE_PARM_DESC(ifname, "interface to answer on");

static struct page *echo_pages;

/* Into a fresh skb, since a target that keeps the request cannot reuse it. */
static struct sk_buff *echo_build(const struct echo_hdr *req, struct net_device *dev)
{
	unsigned int len = req->aflags & ECHO_WRITE ? 0 : req->count * 512;
	struct echo_hdr *h;
	struct sk_buff *skb;

	skb = alloc_skb(LL_RESERVED_SPACE(dev) + ETH_ZLEN, GFP_ATOMIC);
	if (!skb)
		return NULL;
	skb_reserve(skb, LL_RESERVED_SPACE(dev) - ETH_HLEN);
	skb_reset_mac_header(skb);
	h = skb_put(skb, sizeof(*h));
	*h = *req;
	ether_addr_copy(h->eth.h_dest, req->eth.h_source);
	ether_addr_copy(h->eth.h_source, dev->dev_addr);
	h->verfl |= ECHO_RESPONSE;
	h->cmdstat = ECHO_DRDY;
	skb_set_network_header(skb, ETH_HLEN);
	skb->protocol = htons(ETH_P_AOE);
	skb->dev = dev;
	if (len) {
		get_page(echo_pages);
		skb_add_rx_frag(skb, 0, echo_pages, 0, len, len);
	} else {
		skb_put_zero(skb, ETH_ZLEN - sizeof(*h));
	}
	return skb;
}

static int echo_rcv(struct sk_buff *skb, struct net_device *dev, struct packet_type *pt,
		    struct net_device *orig_dev)
{
	const struct echo_hdr *h;
	struct sk_buff *reply;

	skb = skb_share_check(skb, GFP_ATOMIC);
	if (!skb)
		return NET_RX_DROP;
	if (!pskb_may_pull(skb, sizeof(*h) - ETH_HLEN))
		goto out;
	h = (const struct echo_hdr *)skb_mac_header(skb);
	if ((h->verfl & ECHO_RESPONSE) || h->command != ECHO_ATA || h->count > 128)
		goto out;
	reply = echo_build(h, dev);
	if (reply)
		dev_queue_xmit(reply);
out:
	consume_skb(skb);
	return NET_RX_SUCCESS;
}

static struct packet_type echo_type = {
	.type = cpu_to_be16(ETH_P_AOE),
	.func = echo_rcv,
};

static void echo_unhook(void)
{
	dev_remove_pack(&echo_type);
	dev_put(echo_type.dev);
	echo_type.dev = NULL;
}

/* Under RTNL, as is all else that looks at echo_type.dev. */
static int echo_event(struct notifier_block *nb, unsigned long event, void *info)
{
	struct net_device *dev = netdev_notifier_info_to_dev(info);

	if (event == NETDEV_UNREGISTER && dev == echo_type.dev)
		echo_unhook();
	return NOTIFY_DONE;
}

static struct notifier_block echo_notifier = {
	.notifier_call = echo_event,
};

static int __init echo_init(void)
{
	int ret;

	if (!ifname)
		return -EINVAL;
	echo_pages = alloc_pages(GFP_KERNEL | __GFP_COMP | __GFP_ZERO, ECHO_ORDER);
	if (!echo_pages)
		return -ENOMEM;
	ret = register_netdevice_notifier(&echo_notifier);
	if (ret)
		goto err_free;
	rtnl_lock();
	echo_type.dev = dev_get_by_name(current->nsproxy->net_ns, ifname);
	if (echo_type.dev)
		dev_add_pack(&echo_type);
	else
		ret = -ENODEV;
	rtnl_unlock();
	if (!ret)
		return 0;
	pr_err("no interface %s in this network namespace\n", ifname);
	unregister_netdevice_notifier(&echo_notifier);
err_free:
	put_page(echo_pages);
	return ret;
}

static void __exit echo_exit(void)
{
	/* This replays NETDEV_UNREGISTER for every device, ours included. */
	unregister_netdevice_notifier(&echo_notifier);
	put_page(echo_pages);
}

module_init(echo_init);
module_exit(echo_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("AoE responder without a disk, the floor of the benchmark");
