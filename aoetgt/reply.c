// SPDX-License-Identifier: GPL-2.0
/*
 * Answers: the one place where frames are built, and the one place where a
 * request ends.
 */
#include <linux/etherdevice.h>
#include <linux/jiffies.h>

#include "aoetgt.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

/* Any host on the segment can provoke errors; no more than this a second. */
#define AOETGT_ERRORS_PER_SECOND	128

/* In softirq the way of network drivers, which is the quick one. */
static struct sk_buff *aoetgt_skb_alloc(unsigned int size, bool atomic)
{
	unsigned int room = SKB_DATA_ALIGN(size) +
			    SKB_DATA_ALIGN(sizeof(struct skb_shared_info));
	struct sk_buff *skb;
	void *head;

	if (!atomic)
		return alloc_skb(size, GFP_NOIO | __GFP_NOWARN);
	head = napi_alloc_frag(room);
	if (!head)
		return NULL;
	skb = napi_build_skb(head, room);
	if (!skb)
		skb_free_frag(head);
	return skb;
}

/*
 * A frame with everything but data: Ethernet and AoE headers, @arg, and zeros
 * up to the Ethernet minimum.  @data bytes will follow as page fragments.
 */
static struct sk_buff *aoetgt_frame_build(struct net_device *dev, const u8 *dst,
					  const struct aoe_hdr *hdr, const void *arg, size_t len,
					  size_t data, bool atomic)
{
	size_t total = ETH_HLEN + sizeof(*hdr) + len;
	size_t pad = total + data < ETH_ZLEN ? ETH_ZLEN - total - data : 0;
	/* Once: a bond or a tunnel may want more room in the meantime. */
	unsigned int headroom = LL_RESERVED_SPACE(dev);
	struct sk_buff *skb;

	skb = aoetgt_skb_alloc(headroom + total + pad + dev->needed_tailroom, atomic);
	if (!skb)
		return NULL;
	skb_reserve(skb, headroom);
	skb_reset_network_header(skb);
	skb->dev = dev;
	skb->protocol = htons(ETH_P_AOE);
	skb_put_data(skb, hdr, sizeof(*hdr));
	skb_put_data(skb, arg, len);
	if (dev_hard_header(skb, dev, ETH_P_AOE, dst, NULL, skb->len + data) < 0) {
		kfree_skb(skb);
		return NULL;
	}
	skb_reset_mac_header(skb);
	skb_put_zero(skb, pad);
	return skb;
}

static void aoetgt_header_fill(struct aoe_hdr *hdr, struct aoetgt_target *t, u8 command,
			       __be32 tag, enum aoe_error error)
{
	hdr->verfl = AOE_VERSION << AOE_VER_SHIFT | AOE_FLAG_RSP | (error ? AOE_FLAG_ERR : 0);
	hdr->error = error;
	hdr->shelf = cpu_to_be16(t->shelf);
	hdr->slot = t->slot;
	hdr->command = command;
	hdr->tag = tag;
}

/* The pages become the frame's; the I/O that filled them is over. */
static void aoetgt_frame_data(struct sk_buff *skb, struct aoetgt_request *req)
{
	unsigned int i;

	static_assert(AOETGT_PAGES <= MAX_SKB_FRAGS);
	for (i = 0; i < req->nr_pages; i++) {
		struct bio_vec *bv = &req->bvecs[i];

		skb_fill_page_desc(skb, i, bv->bv_page, bv->bv_offset, bv->bv_len);
		skb->truesize += PAGE_SIZE;
	}
	skb->len += req->data_len;
	skb->data_len += req->data_len;
	req->nr_pages = 0;
	req->data_len = 0;
}

/*
 * The end of every request: nothing touches it, nor the target for it, later.
 * Softirqs are off.
 */
static void aoetgt_request_end(struct aoetgt_request *req, enum aoetgt_stat why)
{
	struct aoetgt_target *t = req->target;
	struct aoetgt_iface *iface = req->iface;
	struct aoetgt_disk *disk = req->disk;
	u8 share = req->share;

	trace_aoetgt_request_end(req, why == AOETGT_STAT_replied ? 0 : why);
	aoetgt_count(t, why);
	if (req->ordered && aoetgt_order_leave(&t->order, &req->place))
		aoetgt_target_kick(t);
	aoetgt_request_free(req);
	aoetgt_iface_put(iface);
	aoetgt_target_dismiss(t, share);
	if (disk != &t->disk)
		percpu_ref_put(&disk->refs);
	percpu_ref_put(&t->disk.refs);
}

/**
 * aoetgt_request_drop() - end a request without an answer
 * @req: the request, owned by the caller, without I/O under way
 * @why: AOETGT_STAT_drop_*
 *
 * Context: process or softirq.
 */
void aoetgt_request_drop(struct aoetgt_request *req, enum aoetgt_stat why)
{
	local_bh_disable();
	aoetgt_request_end(req, why);
	local_bh_enable();
}

/* Make the frame of the reply, without data.  Return: AOETGT_STAT_replied, or why not. */
static enum aoetgt_stat aoetgt_reply_build(struct aoetgt_request *req, struct net_device *dev,
					   enum aoe_error error, const void *arg, size_t len,
					   struct sk_buff **skb)
{
	struct aoe_hdr hdr;

	/* The queue of a device that is down says "congested", not "lost". */
	if (!netif_running(dev))
		return AOETGT_STAT_drop_interface;
	if (sizeof(hdr) + len + req->data_len > READ_ONCE(dev->mtu))
		return AOETGT_STAT_drop_mtu;
	aoetgt_header_fill(&hdr, req->target, req->frame.hdr.command, req->frame.hdr.tag, error);
	*skb = aoetgt_frame_build(dev, req->client, &hdr, arg, len, req->data_len,
				  req->atomic);
	return *skb ? AOETGT_STAT_replied : AOETGT_STAT_drop_memory;
}

/* Send the reply, and end the request. */
static void aoetgt_reply_send(struct aoetgt_request *req, struct sk_buff *skb,
			      enum aoe_error error)
{
	struct aoetgt_target *t = req->target;
	bool failed = error || req->failed;
	/* What comes from I/O comes with softirqs off, see aoetgt_requests_answer(). */
	bool bh = !req->atomic;
	enum aoetgt_stat end;
	int err;

	if (bh)
		local_bh_disable();
	aoetgt_stats_request(req, skb->dev->name, failed);
	aoetgt_frame_data(skb, req);
	/* The macro evaluates its argument twice. */
	err = dev_queue_xmit(skb);
	end = net_xmit_eval(err) ? AOETGT_STAT_drop_xmit : AOETGT_STAT_replied;
	if (failed && end == AOETGT_STAT_replied)
		aoetgt_count(t, error ? AOETGT_STAT_aoe_errors : AOETGT_STAT_ata_errors);
	aoetgt_request_end(req, end);
	if (bh)
		local_bh_enable();
}

static void aoetgt_request_answer(struct aoetgt_request *req, enum aoe_error error,
				  const void *arg, size_t len);

/* Worker: it may wait for memory. */
static void aoetgt_request_answer_again(struct aoetgt_request *req)
{
	aoetgt_request_answer(req, req->error, req->arg, req->arg_len);
}

static void aoetgt_request_answer(struct aoetgt_request *req, enum aoe_error error,
				  const void *arg, size_t len)
{
	struct net_device *dev = aoetgt_iface_dev_get(req->iface);
	enum aoetgt_stat end = AOETGT_STAT_drop_interface;
	struct sk_buff *skb;

	if (dev)
		end = aoetgt_reply_build(req, dev, error, arg, len, &skb);
	if (end == AOETGT_STAT_replied) {
		aoetgt_reply_send(req, skb, error);
	} else if (end == AOETGT_STAT_drop_memory && req->atomic) {
		/* What softirq answers is part of the request, so it keeps. */
		req->error = error;
		req->arg = arg;
		req->arg_len = len;
		aoetgt_request_again(req, aoetgt_request_answer_again);
	} else {
		aoetgt_request_drop(req, end);
	}
	dev_put(dev);
}

/**
 * aoetgt_request_reply() - answer a request, and end it
 * @req: the request, owned by the caller; its pages are sent behind @arg
 * @arg: what follows the AoE header
 * @len: its length in bytes
 *
 * The reply leaves by the interface that the request came by, whatever
 * address that has now, and is dropped if the interface is gone or cannot
 * carry it.
 *
 * Context: process, may sleep; if req->atomic, softirqs off, and @arg has to be
 * part of the request.  Section 2.2.
 */
void aoetgt_request_reply(struct aoetgt_request *req, const void *arg, size_t len)
{
	aoetgt_request_answer(req, AOE_OK, arg, len);
}

/* Only the target's worker comes here, so nothing is locked. */
static bool aoetgt_error_ok(struct aoetgt_target *t)
{
	unsigned long second = jiffies / HZ;

	if (t->error_window != second) {
		WRITE_ONCE(t->error_window, second);
		WRITE_ONCE(t->error_count, 0);
	}
	WRITE_ONCE(t->error_count, t->error_count + 1);
	return t->error_count <= AOETGT_ERRORS_PER_SECOND;
}

/**
 * aoetgt_errors_over() - have there been so many errors that no more are answered?
 * @t: the target
 *
 * The thread decides; this spares it a flood of them.
 *
 * Context: any.
 */
bool aoetgt_errors_over(struct aoetgt_target *t)
{
	unsigned long second = jiffies / HZ;

	return READ_ONCE(t->error_count) >= AOETGT_ERRORS_PER_SECOND &&
	       READ_ONCE(t->error_window) == second;
}

/**
 * aoetgt_request_error() - answer a request with an AoE error, and end it
 * @req: the request, owned by the caller
 * @error: the error; those that any stranger can cause are limited in rate
 * @arg: what follows the AoE header
 * @len: its length in bytes
 *
 * Context: as aoetgt_request_reply(); for errors 1, 2 and 5 the worker.
 * Section 1.3.
 */
void aoetgt_request_error(struct aoetgt_request *req, enum aoe_error error, const void *arg,
			  size_t len)
{
	bool limited = error == AOE_ERR_COMMAND || error == AOE_ERR_ARGUMENT ||
		       error == AOE_ERR_VERSION;

	aoetgt_request_no_pages(req);
	if (limited && !aoetgt_error_ok(req->target))
		aoetgt_request_drop(req, AOETGT_STAT_drop_rate);
	else
		aoetgt_request_answer(req, error, arg, len);
}

/**
 * aoetgt_reply_unasked() - tell one host, or all, what a config query would
 * @t: the target
 * @iface: where to
 * @dst: to whom, NULL for all
 * @arg: what follows the AoE header
 * @len: its length in bytes
 *
 * Context: process, may sleep.  Section 2.4, advertisement.
 */
void aoetgt_reply_unasked(struct aoetgt_target *t, struct aoetgt_iface *iface, const u8 *dst,
			  const void *arg, size_t len)
{
	struct net_device *dev = aoetgt_iface_dev_get(iface);
	struct sk_buff *skb = NULL;
	struct aoe_hdr hdr;

	if (!dev)
		return;
	aoetgt_header_fill(&hdr, t, AOE_CMD_CONFIG, 0, AOE_OK);
	if (sizeof(hdr) + len <= READ_ONCE(dev->mtu))
		skb = aoetgt_frame_build(dev, dst ?: dev->broadcast, &hdr, arg, len, 0,
					 false);
	if (skb)
		dev_queue_xmit(skb);
	dev_put(dev);
}
