// SPDX-License-Identifier: GPL-2.0
/*
 * libFuzzer harness over the parsers of proto.h and ata.h.
 *
 * The input is a frame behind the Ethernet header, led by bytes that describe
 * the export it arrives at.  What is asserted is what the rest of the module
 * relies on: nobody else checks it again.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ata.h"

#define must(cond) do {								\
	if (!(cond)) {								\
		fprintf(stderr, "line %d: broken: %s\n", __LINE__, #cond);	\
		abort();							\
	}									\
} while (0)

/* How the export is set up, from the input's first bytes. */
struct setup {
	u8 capacity[6];
	u8 mtu[2];
	u8 ceiling;
	u8 flags;			/* read-only, blocks of TRIM << 1 */
	u8 config_len;
	u8 list;			/* entries of the mask list */
} __packed;

static u64 little(const u8 *p, unsigned int n)
{
	u64 val = 0;

	while (n--)
		val = val << 8 | p[n];
	return val;
}

static void fuzz_trim(const u8 *payload, unsigned int sectors, u64 capacity)
{
	unsigned int i;

	for (i = 0; i < sectors * ATA_TRIM_PER_SECTOR; i++) {
		u64 lba, entry = little(payload + 8 * i, 8);
		u32 n = ata_trim_range(entry, &lba);

		must(n <= 65535 && lba < 1ULL << 48);
		if (n && ata_in_range(lba, n, capacity))
			must(lba < capacity && lba + n <= capacity);
	}
}

/* The reply's registers: an address goes in and comes out. */
static void fuzz_write_back(const struct aoe_ata *ata, u64 lba)
{
	bool ext = ata->aflags & AOE_ATA_EXT;
	struct aoe_ata reply = *ata;

	ata_set_lba(&reply, lba);
	must(ata_lba(&reply, ext) == (ext ? lba & 0xffffffffffffULL : lba & ATA_LBA28_MAX));
	must(reply.nsect == ata->nsect && reply.aflags == ata->aflags);
	if (!ext)
		must((reply.lba[3] & 0xf0) == (ata->lba[3] & 0xf0) &&
		     reply.lba[4] == ata->lba[4] && reply.lba[5] == ata->lba[5]);
}

static void fuzz_ata(const struct setup *set, const struct aoe_ata *ata,
		     const u8 *payload, size_t present)
{
	unsigned int mtu = little(set->mtu, 2);
	struct ata_limits lim = {
		.capacity = little(set->capacity, 6),
		.max_sectors = aoe_sectors(mtu, set->ceiling),
		.payload = present,
		.read_only = set->flags & 1,
		.trim_blocks = set->flags >> 1,
	};
	struct ata_op op = ata_lookup(ata->cmd_status);
	bool ext = op.flags & ATA_OP_EXT;
	u8 err = ata_check(op, ata, &lim);
	u64 lba = ata_lba(ata, ext), n = ata_sectors(op, ata);

	must(err == 0 || err == ATA_ERROR_ABRT || err == ATA_ERROR_IDNF);
	must(lba < 1ULL << (ext ? 48 : 28));
	must(lim.max_sectors >= 1 && lim.max_sectors <= AOE_SECTORS_MAX);
	fuzz_write_back(ata, lba);
	if (err)
		return;
	must(op.kind != ATA_ABORT);
	must(!ext || (ata->aflags & AOE_ATA_EXT));
	switch (op.kind) {
	case ATA_WRITE:
		must(!lim.read_only && n * AOE_SECTOR <= present);
		must(ata->aflags & AOE_ATA_WRITE);
		break;
	case ATA_READ:
		must(!(ata->aflags & AOE_ATA_WRITE));
		must(mtu < 548 || 22 + n * AOE_SECTOR <= mtu);
		break;
	case ATA_VERIFY:
		break;
	case ATA_TRIM:
		must(!lim.read_only && n && n <= lim.trim_blocks && n * AOE_SECTOR <= present);
		fuzz_trim(payload, n, lim.capacity);
		return;
	default:
		return;
	}
	must(n && n <= lim.capacity && lba < lim.capacity && lba + n <= lim.capacity);
	if (op.kind != ATA_VERIFY)
		must(n <= lim.max_sectors);
}

static void fuzz_config(const struct setup *set, const struct aoe_config *cfg,
			const u8 *arg, size_t present)
{
	size_t cur_len = set->config_len * 4 <= AOE_CONFIG_MAX ? set->config_len * 4 : 0;
	size_t len = be16_to_cpu(cfg->len);
	u8 *cur = malloc(cur_len);
	unsigned int ccmd = cfg->ver_ccmd & 0x0f;
	enum aoe_config_verdict got;

	/* As if the request's own string were stored, as far as it goes. */
	memset(cur, 'x', cur_len);
	memcpy(cur, arg, present < cur_len ? present : cur_len);
	got = aoe_config_check(cfg, arg, present, cur, cur_len);
	if (got == AOE_CONFIG_STORE)
		must(len <= present && len <= AOE_CONFIG_MAX &&
		     (ccmd == AOE_CCMD_FORCE || (ccmd == AOE_CCMD_SET && !cur_len)));
	if (got == AOE_CONFIG_SILENT)
		must(ccmd == AOE_CCMD_TEST || ccmd == AOE_CCMD_PREFIX);
	if (got == AOE_CONFIG_IN_USE)
		must(ccmd == AOE_CCMD_SET && cur_len);
	if (ccmd == AOE_CCMD_READ)
		must(got == AOE_CONFIG_REPLY);
	if (ccmd > AOE_CCMD_FORCE)
		must(got == AOE_CONFIG_BAD);
	free(cur);
}

static void check_list(const struct aoe_maclist *list, unsigned int max)
{
	unsigned int i;

	must(list->n <= max);
	for (i = 0; i < list->n; i++)
		must(aoe_maclist_find(list, list->mac[i]) == (int)i);
}

static void fuzz_mask(const struct setup *set, const struct aoe_mask *mask,
		      const u8 *arg, size_t present)
{
	unsigned int i, done = ~0U, count = mask->count;
	static struct aoe_maclist list;
	enum aoe_merror err;

	/* The caller compares the count with what is there. */
	if (count * sizeof(struct aoe_mask_dir) > present)
		return;
	list.n = 0;
	for (i = 0; i < set->list && i < AOE_MASK_MAX; i++) {
		u8 mac[ETH_ALEN] = { 2, 0, 0, 0, 0, i };

		aoe_maclist_add(&list, AOE_MASK_MAX, mac);
	}
	err = aoe_mask_edit(&list, (const void *)arg, count, &done);
	must(done <= count && (err == AOE_MERR_NONE) == (done == count));
	must(err <= AOE_MERR_FULL);
	must(err != AOE_MERR_FULL || list.n == AOE_MASK_MAX);
	check_list(&list, AOE_MASK_MAX);
	for (i = 0; i < list.n; i++)
		must(is_valid_ether_addr(list.mac[i]));
}

static void fuzz_reserve(const struct aoe_reserve *res, const u8 *arg, size_t present)
{
	static struct aoe_maclist list;

	if ((size_t)res->count * ETH_ALEN > present || res->count > AOE_RESERVE_MAX)
		return;
	aoe_reserve_parse(&list, (const u8 (*)[ETH_ALEN])arg, res->count);
	must(list.n <= res->count && !list.n == !res->count);
	check_list(&list, AOE_RESERVE_MAX);
}

static void fuzz_frame(const struct setup *set, const u8 *frame, size_t len)
{
	const struct aoe_frame *f = (const void *)frame;
	enum aoe_verdict verdict = aoe_check(&f->hdr, len);
	const u8 *arg;
	size_t present;

	must(aoe_matches(&f->hdr, be16_to_cpu(f->hdr.shelf), f->hdr.slot));
	if (verdict != AOE_ACCEPT) {
		must(verdict == AOE_DROP_SHORT || aoe_is_wild(&f->hdr) ==
		     (verdict == AOE_DROP_VERSION || verdict == AOE_DROP_COMMAND));
		return;
	}
	must(f->hdr.verfl >> 4 == 1 && f->hdr.command <= AOE_CMD_RESERVE);
	arg = frame + sizeof(f->hdr) + aoe_arg_len(f->hdr.command);
	must(arg <= frame + len);
	present = frame + len - arg;
	switch (f->hdr.command) {
	case AOE_CMD_ATA:
		fuzz_ata(set, &f->ata, arg, present);
		break;
	case AOE_CMD_CONFIG:
		fuzz_config(set, &f->config, arg, present);
		break;
	case AOE_CMD_MASK:
		fuzz_mask(set, &f->mask, arg, present);
		break;
	case AOE_CMD_RESERVE:
		fuzz_reserve(&f->reserve, arg, present);
		break;
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct setup set;
	size_t len;
	u8 *frame;

	if (size < sizeof(set) + sizeof(struct aoe_hdr))
		return 0;
	memcpy(&set, data, sizeof(set));
	/* A copy of its own, so that one byte too far is seen. */
	len = size - sizeof(set);
	frame = malloc(len);
	memcpy(frame, data + sizeof(set), len);
	fuzz_frame(&set, frame, len);
	free(frame);
	return 0;
}
