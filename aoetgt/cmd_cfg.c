// SPDX-License-Identifier: GPL-2.0
/*
 * Commands 1 to 3: config string, MAC mask, reservation.
 *
 * All of them look at and change state that attribute files change too, under
 * wire_lock; test-and-set in one go is what the config string is for.
 */
#include <linux/etherdevice.h>
#include <linux/slab.h>

#include "aoetgt.h"

#define AOETGT_WIRE_FIRMWARE	0x0100
#define AOETGT_GFP		(GFP_NOIO | __GFP_NOWARN)

struct aoetgt_config_reply {
	struct aoe_config fixed;
	u8 string[AOE_CONFIG_MAX];
} __packed;

struct aoetgt_mask_reply {
	struct aoe_mask fixed;
	struct aoe_mask_dir dirs[AOE_MASK_MAX];
} __packed;

struct aoetgt_reserve_reply {
	struct aoe_reserve fixed;
	u8 macs[AOE_RESERVE_MAX][ETH_ALEN];
} __packed;

/* Bytes of the frame behind the fixed argument, padding included. */
static size_t aoetgt_arg_present(const struct aoetgt_request *req)
{
	return req->len - sizeof(struct aoe_hdr) - aoe_arg_len(req->frame.hdr.command);
}

/* Return: a copy of @len bytes behind the fixed argument, which has them; NULL. */
static void *aoetgt_arg_copy(const struct aoetgt_request *req, size_t len)
{
	size_t at = sizeof(struct aoe_hdr) + aoe_arg_len(req->frame.hdr.command);
	void *arg = kmalloc(max_t(size_t, len, 1), AOETGT_GFP);

	if (arg && skb_copy_bits(req->skb, at, arg, len)) {
		kfree(arg);
		arg = NULL;
	}
	return arg;
}

/* Streams in frames of whole blocks of the disk need no reads before their writes. */
static u8 aoetgt_config_sectors(struct aoetgt_target *t, struct aoetgt_iface *iface)
{
	u8 sectors = aoe_sectors(aoetgt_iface_mtu(iface), READ_ONCE(t->max_sectors));

	return round_down(sectors, t->disk.block) ?: sectors;
}

/* Return: length of the reply.  wire_lock held. */
static size_t aoetgt_config_fill(struct aoetgt_target *t, struct aoetgt_iface *iface, u8 ccmd,
				 struct aoetgt_config_reply *reply)
{
	lockdep_assert_held(&t->wire_lock);
	reply->fixed.buffer_count = cpu_to_be16(READ_ONCE(t->buffer_count));
	reply->fixed.firmware = cpu_to_be16(AOETGT_WIRE_FIRMWARE);
	reply->fixed.sectors = aoetgt_config_sectors(t, iface);
	reply->fixed.ver_ccmd = AOE_VERSION << AOE_VER_SHIFT | ccmd;
	reply->fixed.len = cpu_to_be16(t->config_len);
	memcpy(reply->string, t->config, t->config_len);
	return sizeof(reply->fixed) + t->config_len;
}

/* A string that no reply could carry back is refused, row 39. */
static enum aoe_config_verdict aoetgt_config_judge(struct aoetgt_request *req, const void *arg)
{
	struct aoetgt_target *t = req->target;
	const struct aoe_config *cfg = &req->frame.config;
	enum aoe_config_verdict verdict;

	verdict = aoe_config_check(cfg, arg, aoetgt_arg_present(req), t->config, t->config_len);
	if (verdict == AOE_CONFIG_STORE &&
	    sizeof(struct aoe_hdr) + sizeof(*cfg) + be16_to_cpu(cfg->len) >
	    aoetgt_iface_mtu(req->iface))
		return AOE_CONFIG_BAD;
	return verdict;
}

/**
 * aoetgt_config_execute() - answer a config query
 * @req: the request, which ends here
 *
 * Context: process, the worker of the target.  Section 2.4.
 */
void aoetgt_config_execute(struct aoetgt_request *req)
{
	size_t len = min_t(size_t, be16_to_cpu(req->frame.config.len), aoetgt_arg_present(req));
	struct aoetgt_config_reply *reply = kmalloc(sizeof(*reply), AOETGT_GFP);
	u8 *arg = aoetgt_arg_copy(req, min_t(size_t, len, AOE_CONFIG_MAX));
	struct aoetgt_target *t = req->target;
	enum aoe_config_verdict verdict;
	size_t reply_len;

	aoetgt_count(t, AOETGT_STAT_configs);
	if (!reply || !arg) {
		aoetgt_request_drop(req, AOETGT_STAT_drop_memory);
		goto out;
	}
	mutex_lock(&t->wire_lock);
	verdict = aoetgt_config_judge(req, arg);
	if (verdict == AOE_CONFIG_STORE) {
		swap(t->config, arg);
		t->config_len = len;
	}
	reply_len = aoetgt_config_fill(t, req->iface, req->frame.config.ver_ccmd & 0x0f, reply);
	mutex_unlock(&t->wire_lock);

	if (verdict == AOE_CONFIG_SILENT)
		aoetgt_request_drop(req, AOETGT_STAT_drop_no_match);
	else if (verdict == AOE_CONFIG_BAD)
		aoetgt_request_error(req, AOE_ERR_ARGUMENT, reply, reply_len);
	else if (verdict == AOE_CONFIG_IN_USE)
		aoetgt_request_error(req, AOE_ERR_CONFIG_SET, reply, reply_len);
	else
		aoetgt_request_reply(req, reply, reply_len);
out:
	kfree(arg);
	kfree(reply);
}

/**
 * aoetgt_advertise() - say "I am here" to all clients, or to those in the mask
 * @t: the target, its refs held
 * @iface: where
 *
 * Context: process.  Section 2.4, advertisement.
 */
void aoetgt_advertise(struct aoetgt_target *t, struct aoetgt_iface *iface)
{
	struct aoetgt_config_reply *reply = kmalloc(sizeof(*reply), AOETGT_GFP);
	struct aoe_maclist *mask = kmalloc(sizeof(*mask), AOETGT_GFP);
	unsigned int i;
	size_t len;

	if (!reply || !mask)
		goto out;
	mutex_lock(&t->wire_lock);
	len = aoetgt_config_fill(t, iface, AOE_CCMD_READ, reply);
	*mask = *aoetgt_target_macs(t, t->mask);
	mutex_unlock(&t->wire_lock);

	if (!mask->n)
		aoetgt_reply_unasked(t, iface, NULL, reply, len);
	for (i = 0; i < mask->n; i++)
		aoetgt_reply_unasked(t, iface, mask->mac[i], reply, len);
out:
	kfree(mask);
	kfree(reply);
}

/* Return: length of the reply. */
static size_t aoetgt_mask_list(struct aoetgt_target *t, struct aoetgt_mask_reply *reply)
{
	const struct aoe_maclist *list;
	unsigned int i;

	mutex_lock(&t->wire_lock);
	list = aoetgt_target_macs(t, t->mask);
	reply->fixed.count = list->n;
	for (i = 0; i < list->n; i++)
		memcpy(reply->dirs[i].mac, list->mac[i], ETH_ALEN);
	mutex_unlock(&t->wire_lock);
	return sizeof(reply->fixed) + reply->fixed.count * sizeof(reply->dirs[0]);
}

/* Change the list, if clients may.  Return: false without memory. */
static bool aoetgt_mask_edit(struct aoetgt_request *req, struct aoetgt_mask_reply *reply)
{
	unsigned int count = req->frame.mask.count, done = 0;
	struct aoetgt_target *t = req->target;
	struct aoe_mask_dir *dirs;
	struct aoetgt_macs *macs;

	if (!READ_ONCE(t->mask_remote)) {
		reply->fixed.merror = AOE_MERR_UNSPEC;
		return true;
	}
	dirs = aoetgt_arg_copy(req, count * sizeof(*dirs));
	macs = kmalloc(sizeof(*macs), AOETGT_GFP);
	if (!dirs || !macs) {
		kfree(macs);
		kfree(dirs);
		return false;
	}
	mutex_lock(&t->wire_lock);
	macs->list = *aoetgt_target_macs(t, t->mask);
	reply->fixed.merror = aoe_mask_edit(&macs->list, dirs, count, &done);
	aoetgt_target_set_macs(t, &t->mask, macs);
	mutex_unlock(&t->wire_lock);
	reply->fixed.count = done;
	kfree(dirs);
	return true;
}

static void aoetgt_mask_answer(struct aoetgt_request *req, struct aoetgt_mask_reply *reply)
{
	const struct aoe_mask *mask = &req->frame.mask;
	size_t len = sizeof(reply->fixed);

	if (mask->mcmd > AOE_MCMD_EDIT ||
	    (mask->mcmd == AOE_MCMD_EDIT &&
	     mask->count * sizeof(struct aoe_mask_dir) > aoetgt_arg_present(req)))
		return aoetgt_request_error(req, AOE_ERR_ARGUMENT, reply, len);
	if (mask->mcmd == AOE_MCMD_EDIT && !aoetgt_mask_edit(req, reply))
		return aoetgt_request_drop(req, AOETGT_STAT_drop_memory);
	if (!reply->fixed.merror)
		len = aoetgt_mask_list(req->target, reply);
	aoetgt_request_reply(req, reply, len);
}

/**
 * aoetgt_mask_execute() - read or edit the MAC mask
 * @req: the request, which ends here
 *
 * Context: process, the worker of the target.  Section 2.5.
 */
void aoetgt_mask_execute(struct aoetgt_request *req)
{
	struct aoetgt_mask_reply *reply;

	aoetgt_count(req->target, AOETGT_STAT_masks);
	if (req->wild && req->frame.mask.mcmd != AOE_MCMD_READ)
		return aoetgt_request_drop(req, AOETGT_STAT_drop_wildcard);
	reply = kzalloc(sizeof(*reply), AOETGT_GFP);
	if (!reply)
		return aoetgt_request_drop(req, AOETGT_STAT_drop_memory);
	reply->fixed.mcmd = req->frame.mask.mcmd;
	aoetgt_mask_answer(req, reply);
	kfree(reply);
}

/* Answer with the present list. */
static void aoetgt_reserve_answer(struct aoetgt_request *req, enum aoe_error error)
{
	struct aoetgt_target *t = req->target;
	struct aoetgt_reserve_reply *reply;
	const struct aoe_maclist *list;
	size_t len;

	reply = kmalloc(sizeof(*reply), AOETGT_GFP);
	if (!reply)
		return aoetgt_request_drop(req, AOETGT_STAT_drop_memory);
	mutex_lock(&t->wire_lock);
	list = aoetgt_target_macs(t, t->reserve);
	reply->fixed.count = list->n;
	memcpy(reply->macs, list->mac, list->n * ETH_ALEN);
	mutex_unlock(&t->wire_lock);
	reply->fixed.rcmd = req->frame.reserve.rcmd;
	len = sizeof(reply->fixed) + reply->fixed.count * ETH_ALEN;
	if (error)
		aoetgt_request_error(req, error, reply, len);
	else
		aoetgt_request_reply(req, reply, len);
	kfree(reply);
}

/* All that was under way when the list changed is over: it fences now. */
static void aoetgt_reserve_start(struct aoetgt_request *req)
{
	if (aoetgt_request_dying(req))
		return aoetgt_request_drop(req, AOETGT_STAT_drop_draining);
	aoetgt_reserve_answer(req, AOE_OK);
}

/* Return: 0; AOE_ERR_RESERVED; -ENOMEM. */
static int aoetgt_reserve_set(struct aoetgt_request *req)
{
	bool force = req->frame.reserve.rcmd == AOE_RCMD_FORCE;
	unsigned int count = req->frame.reserve.count;
	struct aoetgt_target *t = req->target;
	struct aoetgt_macs *macs = kmalloc(sizeof(*macs), AOETGT_GFP);
	u8 (*args)[ETH_ALEN] = aoetgt_arg_copy(req, count * ETH_ALEN);
	int err = -ENOMEM;

	if (!macs || !args)
		goto out;
	aoe_reserve_parse(&macs->list, args, count);
	mutex_lock(&t->wire_lock);
	err = force || aoetgt_target_may_ata(t, req->client) ? 0 : AOE_ERR_RESERVED;
	if (!err) {
		aoetgt_target_set_macs(t, &t->reserve, macs);
		macs = NULL;
	}
	mutex_unlock(&t->wire_lock);
out:
	kfree(args);
	kfree(macs);
	return err;
}

/**
 * aoetgt_reserve_execute() - read or change the reservation
 * @req: the request; a change is answered once all earlier I/O has ended, so
 * that the answer means that nobody shut out can write any more
 *
 * Context: process, the worker of the target.  Section 2.6.
 */
void aoetgt_reserve_execute(struct aoetgt_request *req)
{
	const struct aoe_reserve *reserve = &req->frame.reserve;
	int err;

	aoetgt_count(req->target, AOETGT_STAT_reserves);
	if (req->wild && reserve->rcmd != AOE_RCMD_READ)
		return aoetgt_request_drop(req, AOETGT_STAT_drop_wildcard);
	if (reserve->rcmd == AOE_RCMD_READ)
		return aoetgt_reserve_answer(req, AOE_OK);
	if (reserve->rcmd > AOE_RCMD_FORCE || reserve->count > AOE_RESERVE_MAX ||
	    reserve->count * ETH_ALEN > aoetgt_arg_present(req))
		return aoetgt_reserve_answer(req, AOE_ERR_ARGUMENT);
	err = aoetgt_reserve_set(req);
	if (err == -ENOMEM)
		return aoetgt_request_drop(req, AOETGT_STAT_drop_memory);
	if (err)
		return aoetgt_reserve_answer(req, err);
	req->start = aoetgt_reserve_start;
	req->ordered = true;
	if (aoetgt_order_enter(&req->target->order, &req->place, req->disk,
			       AOETGT_ORDER_BARRIER, 0, U64_MAX))
		aoetgt_reserve_start(req);
}
