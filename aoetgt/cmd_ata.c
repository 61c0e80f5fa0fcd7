// SPDX-License-Identifier: GPL-2.0
/* Command 0: ATA commands become bios, and what becomes of bios is told in ATA. */
#include <linux/sched/clock.h>
#include <linux/siphash.h>

#include "aoetgt.h"

/* How one kind of command is carried out at the disk. */
struct aoetgt_ata_io {
	enum aoetgt_order_kind order;
	bool ages;			/* dropped if it waited too long */
	void (*submit)(struct aoetgt_request *req);
};

static const struct aoetgt_ata_io *aoetgt_ata_io(const struct aoetgt_request *req);
static void aoetgt_ata_submit_verify(struct aoetgt_request *req);
static void aoetgt_ata_write_pages(struct aoetgt_request *req);

static void aoetgt_ata_reply(struct aoetgt_request *req, u8 status, u8 error)
{
	struct aoe_ata *ata = &req->frame.ata;

	ata->aflags &= AOE_ATA_FLAGS;
	ata->err_feature = error;
	ata->cmd_status = status;
	memset(ata->reserved, 0, sizeof(ata->reserved));
	aoetgt_request_reply(req, ata, sizeof(*ata));
}

static void aoetgt_ata_success(struct aoetgt_request *req)
{
	req->frame.ata.nsect = 0;
	aoetgt_ata_reply(req, ATA_STATUS_OK, 0);
}

/* Count and LBA keep what the request had, so nothing was transferred. */
static void aoetgt_ata_fail(struct aoetgt_request *req, u8 status, u8 error)
{
	aoetgt_request_no_pages(req);
	req->failed = true;
	aoetgt_ata_reply(req, status, error);
}

static void aoetgt_ata_abort(struct aoetgt_request *req)
{
	aoetgt_ata_fail(req, ATA_STATUS_ERR, ATA_ERROR_ABRT);
}

static void aoetgt_ata_out_of_range(struct aoetgt_request *req, sector_t capacity)
{
	struct aoe_ata *ata = &req->frame.ata;

	if (ata_lba(ata, req->op.flags & ATA_OP_EXT) < capacity)
		ata_set_lba(ata, capacity);
	aoetgt_ata_fail(req, ATA_STATUS_ERR, ATA_ERROR_IDNF);
}

/* An AoE error, which Linux takes as a reason to try again for three minutes. */
static void aoetgt_ata_refuse(struct aoetgt_request *req, enum aoe_error error)
{
	struct aoe_ata *ata = &req->frame.ata;

	ata->aflags &= AOE_ATA_FLAGS;
	memset(ata->reserved, 0, sizeof(ata->reserved));
	aoetgt_request_error(req, error, ata, sizeof(*ata));
}

/* The one place where block status becomes ATA, section 3.6. */
static void aoetgt_ata_io_failed(struct aoetgt_request *req)
{
	bool reads = req->op.kind == ATA_READ || req->op.kind == ATA_VERIFY;

	switch (req->status) {
	case BLK_STS_RESOURCE:
	case BLK_STS_DEV_RESOURCE:
	case BLK_STS_AGAIN:
		return aoetgt_request_drop(req, AOETGT_STAT_drop_resource);
	case BLK_STS_OFFLINE:
	case BLK_STS_TRANSPORT:
	case BLK_STS_TIMEOUT:
		return aoetgt_ata_refuse(req, AOE_ERR_UNAVAILABLE);
	case BLK_STS_NOTSUPP:
		return aoetgt_ata_abort(req);
	}
	/* A device that has gone reports I/O errors like a bad sector. */
	if (!aoetgt_disk_alive(req->disk))
		return aoetgt_ata_refuse(req, AOE_ERR_UNAVAILABLE);
	if (reads)
		return aoetgt_ata_fail(req, ATA_STATUS_ERR, ATA_ERROR_UNC);
	aoetgt_ata_fail(req, ATA_STATUS_FAULT, ATA_ERROR_ABRT);
}

/* Bytes between the beginning of a block of the disk and the first sector asked for. */
static unsigned int aoetgt_ata_skip(const struct aoetgt_request *req)
{
	return (req->lba & (req->disk->block - 1)) * AOE_SECTOR;
}

/* Bytes of all blocks that so many sectors touch. */
static unsigned int aoetgt_ata_span(const struct aoetgt_request *req, u32 sectors)
{
	return round_up(aoetgt_ata_skip(req) + sectors * AOE_SECTOR,
			req->disk->block * AOE_SECTOR);
}

static void aoetgt_ata_done(struct aoetgt_request *req)
{
	if (aoetgt_request_dying(req))
		return aoetgt_request_drop(req, AOETGT_STAT_drop_draining);
	if (req->status)
		return aoetgt_ata_io_failed(req);
	if (req->op.kind == ATA_VERIFY && req->sectors > req->step) {
		req->sectors -= req->step;
		req->lba += req->step;
		return aoetgt_request_again(req, aoetgt_ata_submit_verify);
	}
	/* What is around the payload has been read; the frame is not consumed yet. */
	if (req->op.kind == ATA_WRITE && req->skb)
		return aoetgt_request_again(req, aoetgt_ata_write_pages);
	/* Only what was read goes back to the client. */
	if (req->op.kind != ATA_READ)
		aoetgt_request_no_pages(req);
	else if (req->data_len != req->transferred)
		aoetgt_request_crop(req, aoetgt_ata_skip(req), req->transferred);
	aoetgt_ata_success(req);
}

/* Nothing older is in the way any more.  Worker. */
static void aoetgt_ata_start(struct aoetgt_request *req)
{
	req->t_start = local_clock();
	if (aoetgt_request_dying(req))
		return aoetgt_request_drop(req, AOETGT_STAT_drop_draining);
	if (aoetgt_ata_io(req)->ages && req->t_start > req->t_rx + AOETGT_STALE_NS)
		return aoetgt_request_drop(req, AOETGT_STAT_drop_stale);
	aoetgt_ata_io(req)->submit(req);
}

/* Whole blocks have a place in the order, as they are read and written as a whole. */
static void aoetgt_ata_queue(struct aoetgt_request *req, u64 first, u64 last)
{
	u32 block = req->disk->block;

	req->start = aoetgt_ata_start;
	req->done = aoetgt_ata_done;
	req->ordered = true;
	if (aoetgt_order_enter(&req->target->order, &req->place, req->disk,
			       aoetgt_ata_io(req)->order, round_down(first, block),
			       last | (block - 1)))
		aoetgt_ata_start(req);
}

static void aoetgt_ata_submit_read(struct aoetgt_request *req)
{
	req->transferred = req->sectors * AOE_SECTOR;
	if (aoetgt_request_pages(req, aoetgt_ata_span(req, req->sectors)))
		aoetgt_disk_rw(req->disk, req, REQ_OP_READ);
	else
		aoetgt_request_drop(req, AOETGT_STAT_drop_memory);
}

static void aoetgt_ata_submit_verify(struct aoetgt_request *req)
{
	req->step = min_t(u32, req->sectors, AOE_SECTORS_MAX);
	aoetgt_request_no_pages(req);
	if (aoetgt_request_pages(req, aoetgt_ata_span(req, req->step)))
		aoetgt_disk_rw(req->disk, req, REQ_OP_READ);
	else
		aoetgt_request_drop(req, AOETGT_STAT_drop_memory);
}

/* The pages hold what belongs around the payload.  Worker. */
static void aoetgt_ata_write_pages(struct aoetgt_request *req)
{
	bool through = !READ_ONCE(req->target->write_cache) || (req->op.flags & ATA_OP_FUA);
	blk_opf_t opf = REQ_OP_WRITE | REQ_SYNC | REQ_IDLE | (through ? REQ_FUA : 0);

	if (aoetgt_request_payload(req, aoetgt_ata_skip(req), req->transferred))
		aoetgt_disk_rw(req->disk, req, opf);
	else
		aoetgt_request_drop(req, AOETGT_STAT_drop_memory);
}

/*
 * Of a block that is written in part the rest is read first.  The place in the
 * order is for the whole block, so nobody changes it meanwhile.
 */
static void aoetgt_ata_submit_write(struct aoetgt_request *req)
{
	unsigned int span = aoetgt_ata_span(req, req->sectors);

	req->transferred = req->sectors * AOE_SECTOR;
	if (!aoetgt_request_pages(req, span))
		return aoetgt_request_drop(req, AOETGT_STAT_drop_memory);
	if (span == req->transferred)
		aoetgt_ata_write_pages(req);
	else
		aoetgt_disk_rw(req->disk, req, REQ_OP_READ);
}

static void aoetgt_ata_submit_flush(struct aoetgt_request *req)
{
	aoetgt_disk_flush(req->disk, req);
}

static void aoetgt_ata_submit_trim(struct aoetgt_request *req)
{
	aoetgt_disk_discard(req->disk, req);
}

static const struct aoetgt_ata_io *aoetgt_ata_io(const struct aoetgt_request *req)
{
	static const struct aoetgt_ata_io read = {
		AOETGT_ORDER_READ, true, aoetgt_ata_submit_read };
	static const struct aoetgt_ata_io verify = {
		AOETGT_ORDER_READ, true, aoetgt_ata_submit_verify };
	static const struct aoetgt_ata_io write = {
		AOETGT_ORDER_WRITE, true, aoetgt_ata_submit_write };
	static const struct aoetgt_ata_io trim = {
		AOETGT_ORDER_WRITE, true, aoetgt_ata_submit_trim };
	/* On a slow disk a flush always waits long, and is never out of date. */
	static const struct aoetgt_ata_io flush = {
		AOETGT_ORDER_FLUSH, false, aoetgt_ata_submit_flush };

	switch (req->op.kind) {
	case ATA_READ:
		return &read;
	case ATA_VERIFY:
		return &verify;
	case ATA_WRITE:
		return &write;
	case ATA_TRIM:
		return &trim;
	default:
		return &flush;
	}
}

static void aoetgt_ata_rw(struct aoetgt_request *req)
{
	const struct aoe_ata *ata = &req->frame.ata;

	req->lba = ata_lba(ata, req->op.flags & ATA_OP_EXT);
	req->sectors = ata_sectors(req->op, ata);
	aoetgt_ata_queue(req, req->lba, req->lba + req->sectors - 1);
}

static void aoetgt_ata_flush(struct aoetgt_request *req)
{
	aoetgt_ata_queue(req, 0, U64_MAX);
}

/* Every range is checked before any is discarded, section 3.5. */
static void aoetgt_ata_trim(struct aoetgt_request *req)
{
	sector_t capacity = aoetgt_disk_capacity(req->disk);
	u64 lba, first = U64_MAX, end = 0;
	unsigned int len = req->frame.ata.nsect * AOE_SECTOR;
	unsigned int i;

	if (!aoetgt_request_pages(req, len) || !aoetgt_request_payload(req, 0, len))
		return aoetgt_request_drop(req, AOETGT_STAT_drop_memory);
	for (i = 0; i < req->data_len / sizeof(__le64); i++) {
		u32 n = ata_trim_range(aoetgt_trim_entry(req, i), &lba);

		if (!n)
			continue;
		if (!ata_in_range(lba, n, capacity))
			return aoetgt_ata_abort(req);
		first = min(first, lba);
		end = max(end, lba + n);
	}
	if (!end) {
		aoetgt_request_no_pages(req);
		return aoetgt_ata_success(req);
	}
	aoetgt_ata_queue(req, first, end - 1);
}

/* NAA 5 with a locally administered OUI; the rest follows from the serial. */
static u64 aoetgt_ata_wwn(const char *serial)
{
	static const siphash_key_t key = { { 0x616f657467740001, 0x77776e0000000001 } };

	return 5ULL << 60 | 0x02a0e0ULL << 36 |
	       (siphash(serial, strlen(serial), &key) & GENMASK_ULL(35, 0));
}

/* Return: largest payload of a TRIM, 0 if there is no TRIM. */
static u8 aoetgt_ata_trim_blocks(const struct aoetgt_request *req)
{
	struct aoetgt_target *t = req->target;
	unsigned int ceiling = READ_ONCE(t->max_sectors) ?: AOE_SECTORS_MAX;

	if (!t->discard || READ_ONCE(req->disk->read_only) || !aoetgt_disk_can_discard(req->disk))
		return 0;
	return min_t(unsigned int, READ_ONCE(t->min_sectors), ceiling);
}

static void aoetgt_ata_identify(struct aoetgt_request *req)
{
	struct aoetgt_target *t = req->target;
	struct ata_identity me = {
		.wwn = aoetgt_ata_wwn(t->serial),
		.serial = t->serial,
		.firmware = t->firmware,
		.model = t->model,
		.look_ahead = t->look_ahead,
		.trim_blocks = aoetgt_ata_trim_blocks(req),
	};

	if (!aoetgt_request_pages(req, AOE_SECTOR))
		return aoetgt_request_drop(req, AOETGT_STAT_drop_memory);
	aoetgt_disk_describe(req->disk, &me);
	me.wcache_supported = me.wcache_supported && t->write_back;
	me.wcache_enabled = me.wcache_supported && t->write_cache;
	ata_identify(page_address(req->bvecs[0].bv_page), &me);
	aoetgt_ata_success(req);
}

static void aoetgt_ata_check_power(struct aoetgt_request *req)
{
	req->frame.ata.nsect = ATA_POWER_ACTIVE;
	aoetgt_ata_reply(req, ATA_STATUS_OK, 0);
}

static void aoetgt_ata_set_features(struct aoetgt_request *req)
{
	struct aoetgt_target *t = req->target;

	switch (req->frame.ata.err_feature) {
	case ATA_FEATURE_WCACHE_ON:
		if (!t->write_back)
			return aoetgt_ata_abort(req);
		WRITE_ONCE(t->write_cache, true);
		return aoetgt_ata_success(req);
	case ATA_FEATURE_WCACHE_OFF:
		WRITE_ONCE(t->write_cache, false);
		return aoetgt_ata_flush(req);
	case ATA_FEATURE_AHEAD_ON:
	case ATA_FEATURE_AHEAD_OFF:
		t->look_ahead = req->frame.ata.err_feature == ATA_FEATURE_AHEAD_ON;
		return aoetgt_ata_success(req);
	case ATA_FEATURE_XFER:
	case ATA_FEATURE_KEEP:
	case ATA_FEATURE_REVERT:
		return aoetgt_ata_success(req);
	}
	aoetgt_ata_abort(req);
}

struct aoetgt_ata_command {
	void (*execute)(struct aoetgt_request *req);
	enum aoetgt_stat count;
	bool harmless;			/* also for everybody at once, and for outsiders */
};

static const struct aoetgt_ata_command aoetgt_ata_commands[] = {
	[ATA_ABORT] = { aoetgt_ata_abort, AOETGT_STAT_other },
	[ATA_READ] = { aoetgt_ata_rw, AOETGT_STAT_reads },
	[ATA_WRITE] = { aoetgt_ata_rw, AOETGT_STAT_writes },
	[ATA_VERIFY] = { aoetgt_ata_rw, AOETGT_STAT_verifies },
	[ATA_FLUSH] = { aoetgt_ata_flush, AOETGT_STAT_flushes },
	[ATA_TRIM] = { aoetgt_ata_trim, AOETGT_STAT_trims },
	[ATA_IDENTIFY] = { aoetgt_ata_identify, AOETGT_STAT_identifies, true },
	[ATA_CHECK_POWER] = { aoetgt_ata_check_power, AOETGT_STAT_other, true },
	[ATA_POWER] = { aoetgt_ata_success, AOETGT_STAT_other },
	[ATA_POWER_FLUSH] = { aoetgt_ata_flush, AOETGT_STAT_other },
	[ATA_SET_FEATURES] = { aoetgt_ata_set_features, AOETGT_STAT_other },
};

/* What the frame alone can be blamed for.  Return: 0 or the Error register. */
static u8 aoetgt_ata_judge(struct aoetgt_request *req, sector_t capacity, unsigned int mtu)
{
	struct aoetgt_target *t = req->target;
	struct ata_limits lim = {
		.capacity = capacity,
		.max_sectors = aoe_sectors(mtu, aoetgt_target_ceiling(t)),
		.payload = req->len - sizeof(struct aoe_hdr) - sizeof(struct aoe_ata),
		.read_only = READ_ONCE(req->disk->read_only) || !req->disk->writable,
		.trim_blocks = req->op.kind == ATA_TRIM ? aoetgt_ata_trim_blocks(req) : 0,
	};

	return ata_check(req->op, &req->frame.ata, &lim);
}

/*
 * Too much, but not before the MTU shrank a moment ago?  A client that is told of an
 * error hands it on to whoever wanted the data; one that is told nothing tries again.
 */
static bool aoetgt_ata_outgrown(struct aoetgt_request *req, sector_t capacity)
{
	unsigned int mtu = aoetgt_iface_mtu_before(req->iface);

	return mtu && !aoetgt_ata_judge(req, capacity, mtu);
}

static void aoetgt_ata_count_sectors(struct aoetgt_request *req)
{
	struct aoetgt_stats *stats = &req->target->stats;

	if (req->op.kind == ATA_READ)
		atomic64_add(req->frame.ata.nsect, &stats->count[AOETGT_STAT_read_sectors]);
	if (req->op.kind == ATA_WRITE)
		atomic64_add(req->frame.ata.nsect, &stats->count[AOETGT_STAT_write_sectors]);
}

/**
 * aoetgt_ata_execute() - carry out an ATA command
 * @req: the request; answered now, or when its turn and its I/O are over
 *
 * Context: process, the worker of the target.  Sections 2.7 and 3.
 */
void aoetgt_ata_execute(struct aoetgt_request *req)
{
	struct aoetgt_target *t = req->target;
	const struct aoetgt_ata_command *cmd;
	struct aoetgt_disk *view;
	sector_t capacity;
	u8 error;

	req->op = ata_lookup(req->frame.ata.cmd_status);
	cmd = &aoetgt_ata_commands[req->op.kind];
	aoetgt_count(t, cmd->count);
	if (!cmd->harmless && req->wild)
		return aoetgt_request_drop(req, AOETGT_STAT_drop_wildcard);
	if (!cmd->harmless && !aoetgt_target_may_ata(t, req->client))
		return aoetgt_ata_refuse(req, AOE_ERR_RESERVED);
	view = aoetgt_view_disk_get(t, req->client);
	if (IS_ERR(view))
		return aoetgt_ata_refuse(req, AOE_ERR_UNAVAILABLE);
	if (view)
		req->disk = view;
	if (!aoetgt_disk_alive(req->disk))
		return aoetgt_ata_refuse(req, AOE_ERR_UNAVAILABLE);
	capacity = aoetgt_disk_capacity(req->disk);
	error = aoetgt_ata_judge(req, capacity, aoetgt_iface_mtu(req->iface));
	if (error == ATA_ERROR_IDNF)
		return aoetgt_ata_out_of_range(req, capacity);
	if (error && aoetgt_ata_outgrown(req, capacity))
		return aoetgt_request_drop(req, AOETGT_STAT_drop_mtu);
	if (error)
		return aoetgt_ata_fail(req, ATA_STATUS_ERR, error);
	aoetgt_ata_count_sectors(req);
	cmd->execute(req);
}
