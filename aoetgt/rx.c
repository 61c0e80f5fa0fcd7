// SPDX-License-Identifier: GPL-2.0
/*
 * The way in: the packet handler, which refuses the cheapest things first and
 * never prints, and what takes over in process context.
 *
 * A frame for one target goes: aoetgt_rcv() -> target->rx -> aoetgt_run().
 * A frame for many goes by iface->wild and the iface work in between, so that
 * 4096 targets do not answer from within one softirq.
 */
#include <linux/delay.h>
#include <linux/etherdevice.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

#include "aoetgt.h"
#include "trace.h"

/* After so many answers to one frame, let the others have the wire. */
#define AOETGT_BURST		32
/* Requests that a thread starts in one go; then it answers, and others have a turn. */
#define AOETGT_BATCH		64

static void aoetgt_rcv_refuse(struct aoetgt_target *t, enum aoetgt_stat why)
{
	aoetgt_count(t, why);
	percpu_ref_put(&t->disk.refs);
}

static enum aoetgt_stat aoetgt_verdict_drop(enum aoe_verdict verdict)
{
	switch (verdict) {
	case AOE_DROP_VERSION:
		return AOETGT_STAT_drop_version;
	case AOE_DROP_COMMAND:
		return AOETGT_STAT_drop_command;
	case AOE_DROP_SHORT:
		return AOETGT_STAT_drop_short;
	default:
		return 0;
	}
}

/* Commands that read need nothing but their fixed part. */
static bool aoetgt_has_payload(const struct aoe_frame *frame)
{
	return frame->hdr.command != AOE_CMD_ATA || (frame->ata.aflags & AOE_ATA_WRITE);
}

/* Which share of a target's buffers a client counts for.  No table is kept of them. */
static u8 aoetgt_share(const u8 *mac)
{
	u8 tail = mac[3] ^ mac[4] ^ mac[5];

	return (tail ^ tail >> 4) % AOETGT_SHARES;
}

/*
 * When all buffers are taken: what each share may have that has some, so that clients
 * come to have equal parts, whoever was first and however often each one sends.
 * Others count meanwhile: one request too many or too few is no mistake.
 */
static int aoetgt_fair_part(const struct aoetgt_target *t, int buffers)
{
	int i, shares = 0;

	for (i = 0; i < AOETGT_SHARES; i++)
		shares += !!atomic_read(&t->share[i]);
	return max(buffers / max(shares, 1), 1);
}

/*
 * May there be one more request under way?  There may be buffer_count, which is what
 * initiators are told; beyond it, those of clients that have less than their part.
 * If so, it counts until aoetgt_target_dismiss().
 */
static bool aoetgt_admit(struct aoetgt_target *t, u8 share)
{
	int buffers = READ_ONCE(t->buffer_count);
	int mine = atomic_inc_return(&t->share[share]);

	if (atomic_inc_return(&t->in_flight) <= buffers || mine <= aoetgt_fair_part(t, buffers))
		return true;
	aoetgt_target_dismiss(t, share);
	return false;
}

/*
 * A frame has found its target, whose refs are held and pass to the request.
 * The frame stays the caller's.  Softirq, in the RCU section in which the
 * target was found; or the iface work, with a further hold on the target.
 */
static void aoetgt_rcv_target(struct aoetgt_target *t, struct aoetgt_iface *iface,
			      struct sk_buff *skb, const struct aoe_frame *frame)
{
	enum aoe_verdict verdict = aoe_check(&frame->hdr, skb->len);
	enum aoetgt_stat drop = aoetgt_verdict_drop(verdict);
	u8 share = aoetgt_share(eth_hdr(skb)->h_source);
	struct aoetgt_request *req;

	aoetgt_count(t, AOETGT_STAT_accepted);
	if (!aoetgt_target_allows(t, eth_hdr(skb)->h_source))
		return aoetgt_rcv_refuse(t, AOETGT_STAT_drop_masked);
	if (drop)
		return aoetgt_rcv_refuse(t, drop);
	if (verdict != AOE_ACCEPT && aoetgt_errors_over(t))
		return aoetgt_rcv_refuse(t, AOETGT_STAT_drop_rate);
	if (!aoetgt_admit(t, share))
		return aoetgt_rcv_refuse(t, AOETGT_STAT_drop_busy);
	req = aoetgt_request_alloc();
	if (!req) {
		aoetgt_target_dismiss(t, share);
		return aoetgt_rcv_refuse(t, AOETGT_STAT_drop_memory);
	}
	kref_get(&iface->ref);
	req->target = t;
	req->disk = &t->disk;
	req->iface = iface;
	req->frame = *frame;
	req->len = skb->len;
	if (aoetgt_has_payload(frame))
		req->skb = skb_get(skb);
	req->verdict = verdict;
	req->wild = aoe_is_wild(&frame->hdr);
	req->share = share;
	ether_addr_copy(req->client, eth_hdr(skb)->h_source);
	trace_aoetgt_request_start(req);
	/* From here on the worker may end the request. */
	if (llist_add(&req->node, &t->rx))
		aoetgt_target_kick(t);
}

/* Loopback's own broadcast address is not Ethernet's, which counts as a group there. */
static bool aoetgt_rcv_for_us(const struct sk_buff *skb)
{
	switch (skb->pkt_type) {
	case PACKET_HOST:
	case PACKET_BROADCAST:
		return true;
	case PACKET_MULTICAST:
		return is_broadcast_ether_addr(eth_hdr(skb)->h_dest);
	default:
		return false;
	}
}

/* Return: false if there is no whole header.  What a short frame lacks is zero. */
static bool aoetgt_frame_read(struct sk_buff *skb, struct aoe_frame *frame)
{
	unsigned int len = min_t(unsigned int, skb->len, sizeof(*frame));

	if (!skb_frags_readable(skb))
		return false;
	/* Nearly all are like that. */
	if (skb_headlen(skb) >= sizeof(*frame)) {
		memcpy(frame, skb->data, sizeof(*frame));
		return true;
	}
	memset(frame, 0, sizeof(*frame));
	return len >= sizeof(frame->hdr) && !skb_copy_bits(skb, 0, frame, len);
}

/* Return: 0, or the counter of why the frame is nobody's. */
static enum aoetgt_iface_stat aoetgt_rcv_check(struct sk_buff *skb, struct aoe_frame *frame)
{
	const u8 *src = eth_hdr(skb)->h_source;

	if (!aoetgt_rcv_for_us(skb))
		return AOETGT_IFACE_drop_otherhost;
	if (!aoetgt_frame_read(skb, frame))
		return AOETGT_IFACE_drop_short;
	/* Replies must go no further than here, or two targets could talk forever. */
	if (frame->hdr.verfl & AOE_FLAG_RSP)
		return AOETGT_IFACE_drop_response;
	if (is_multicast_ether_addr(src))
		return AOETGT_IFACE_drop_source;
	if (is_zero_ether_addr(src) && !(skb->dev->flags & IFF_LOOPBACK))
		return AOETGT_IFACE_drop_source;
	return AOETGT_IFACE_frames;
}

/* The packet handler.  Softirq. */
static int aoetgt_rcv(struct sk_buff *skb, struct net_device *dev, struct packet_type *pt,
		      struct net_device *orig_dev)
{
	struct aoetgt_iface *iface = pt->af_packet_priv;
	enum aoetgt_iface_stat drop;
	struct aoetgt_target *t;
	struct aoe_frame frame;

	/* A lower device's handler sees the frames of VLANs on it, too: not ours. */
	if (dev != pt->dev) {
		consume_skb(skb);
		return NET_RX_DROP;
	}
	aoetgt_iface_count(iface, AOETGT_IFACE_frames);
	/* The worker reads it later: nobody else may move its pointers then. */
	skb = skb_share_check(skb, GFP_ATOMIC | __GFP_NOWARN);
	if (!skb) {
		aoetgt_iface_count(iface, AOETGT_IFACE_drop_memory);
		return NET_RX_DROP;
	}
	drop = aoetgt_rcv_check(skb, &frame);
	if (drop != AOETGT_IFACE_frames)
		goto out_drop;
	if (aoe_is_wild(&frame.hdr)) {
		if (aoetgt_iface_queue_wild(iface, skb))
			return NET_RX_SUCCESS;
		drop = AOETGT_IFACE_drop_backlog;
		goto out_drop;
	}
	t = xa_load(&iface->targets,
		    aoetgt_address(be16_to_cpu(frame.hdr.shelf), frame.hdr.slot));
	if (!t || !percpu_ref_tryget_live_rcu(&t->disk.refs)) {
		drop = AOETGT_IFACE_drop_no_target;
		goto out_drop;
	}
	aoetgt_rcv_target(t, iface, skb, &frame);
	consume_skb(skb);
	return NET_RX_SUCCESS;
out_drop:
	aoetgt_iface_count(iface, drop);
	kfree_skb(skb);
	return NET_RX_DROP;
}

/* A device's queue is shorter than 4096 answers. */
static void aoetgt_pace(unsigned int done)
{
	if (done % AOETGT_BURST == 0)
		usleep_range(500, 1000);
}

/* done: answers so far, to all frames. */
static void aoetgt_wild_hand_out(struct aoetgt_iface *iface, struct sk_buff *skb,
				 unsigned int *done)
{
	unsigned int before = *done;
	unsigned long address = 0;
	struct aoetgt_target *t;
	struct aoe_frame frame;

	/* Once more, since the frame waited without it. */
	if (!aoetgt_frame_read(skb, &frame))
		return;
	while ((t = aoetgt_iface_next(iface, &address, false))) {
		if (aoe_matches(&frame.hdr, t->shelf, t->slot)) {
			percpu_ref_get(&t->disk.refs);
			local_bh_disable();
			aoetgt_rcv_target(t, iface, skb, &frame);
			local_bh_enable();
			aoetgt_pace(++*done);
		}
		percpu_ref_put(&t->disk.refs);
		/* Frames that match nothing are not paced, and no end need be in sight. */
		cond_resched();
	}
	if (*done == before)
		aoetgt_iface_count(iface, AOETGT_IFACE_drop_no_target);
}

/* Process context, one at a time for each iface. */
static void aoetgt_iface_work(struct work_struct *work)
{
	struct aoetgt_iface *iface = container_of(work, struct aoetgt_iface, work);
	unsigned long address = 0;
	struct aoetgt_target *t;
	unsigned int i, done = 0;
	struct sk_buff *skb;

	/* No more than can wait at once, so that advertisements have their turn. */
	for (i = 0; i < AOETGT_WILD_MAX && (skb = skb_dequeue(&iface->wild)); i++) {
		aoetgt_wild_hand_out(iface, skb, &done);
		consume_skb(skb);
	}
	while ((t = aoetgt_iface_next(iface, &address, true))) {
		aoetgt_advertise(t, iface);
		percpu_ref_put(&t->disk.refs);
		aoetgt_pace(++done);
	}
	if (!skb_queue_empty(&iface->wild))
		aoetgt_iface_kick(iface);
	aoetgt_iface_put(iface);
}

/* A request meets its command.  Worker. */
static void aoetgt_dispatch(struct aoetgt_request *req)
{
	if (aoetgt_request_dying(req))
		return aoetgt_request_drop(req, AOETGT_STAT_drop_draining);
	if (req->verdict == AOE_REFUSE_VERSION)
		return aoetgt_request_error(req, AOE_ERR_VERSION, NULL, 0);
	if (req->verdict == AOE_REFUSE_COMMAND)
		return aoetgt_request_error(req, AOE_ERR_COMMAND, NULL, 0);
	switch (req->frame.hdr.command) {
	case AOE_CMD_ATA:
		return aoetgt_ata_execute(req);
	case AOE_CMD_CONFIG:
		return aoetgt_config_execute(req);
	case AOE_CMD_MASK:
		return aoetgt_mask_execute(req);
	case AOE_CMD_RESERVE:
		return aoetgt_reserve_execute(req);
	}
}

/* Requests that waited for others, and need not any more. */
static void aoetgt_start_ready(struct aoetgt_target *t)
{
	struct aoetgt_request *req;
	struct aoetgt_place *place;

	while ((place = aoetgt_order_next(&t->order))) {
		req = container_of(place, struct aoetgt_request, place);
		req->start(req);
	}
}

/*
 * New requests, in order of arrival.  Return: how many for the disk.  Discovery and
 * what is refused say nothing of whether clients send batches.
 */
static unsigned int aoetgt_start_new(struct aoetgt_target *t)
{
	struct aoetgt_request *req;
	unsigned int i, n = 0;

	for (i = 0; t->todo && i < AOETGT_BATCH; i++) {
		req = llist_entry(t->todo, struct aoetgt_request, node);
		t->todo = req->node.next;
		n += req->frame.hdr.command == AOE_CMD_ATA;
		if (req->start)
			req->start(req);
		else
			aoetgt_dispatch(req);
	}
	return n;
}

/*
 * What a thread does for a target: process context, one at a time for each
 * target, so that arrival order is kept.  Return: how many new requests for the
 * disk there were; more are left in todo or rx.
 */
static unsigned int aoetgt_run(struct aoetgt_target *t)
{
	if (!t->todo)
		t->todo = llist_reverse_order(llist_del_all(&t->rx));
	aoetgt_start_ready(t);
	return aoetgt_start_new(t);
}

/* What lower floors call. */
const struct aoetgt_ops aoetgt_rx_ops = {
	.receive = aoetgt_rcv,
	.iface_work = aoetgt_iface_work,
	.run = aoetgt_run,
};
