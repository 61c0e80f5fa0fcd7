// SPDX-License-Identifier: GPL-2.0
/*
 * Tables for proto.h.  Rows and sections are those of
 * Documentation/protocol.rst.
 */
#include <stdlib.h>

#include "proto.h"
#include "unit.h"

static struct aoe_hdr header(u8 verfl, u16 shelf, u8 slot, u8 command)
{
	return (struct aoe_hdr) {
		.verfl = verfl, .shelf = cpu_to_be16(shelf), .slot = slot, .command = command,
	};
}

static void test_addresses(void)
{
	static const struct {
		u16 shelf;
		u8 slot;
		bool wild, matches;	/* against e7.1 */
	} rows[] = {
		{ 7, 1, false, true },
		{ 7, 2, false, false },
		{ 8, 1, false, false },
		{ 0x0700, 1, false, false },	/* the other byte order */
		{ 0xffff, 1, true, true },
		{ 0xffff, 2, true, false },
		{ 7, 0xff, true, true },
		{ 8, 0xff, true, false },
		{ 0xffff, 0xff, true, true },
		{ 0x00ff, 1, false, false },
		{ 0xff00, 1, false, false },
	};
	unsigned int i;

	group("addresses: shelf and slot wildcards are independent");
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct aoe_hdr hdr = header(0x10, rows[i].shelf, rows[i].slot, 0);

		expect(aoe_is_wild(&hdr) == rows[i].wild, "row %u", i);
		expect(aoe_matches(&hdr, 7, 1) == rows[i].matches, "row %u", i);
	}
}

/* Every version, command, kind of address and length. */
static void test_check(void)
{
	static const size_t need[] = { 22, 18, 14, 12 };
	static const struct {
		u16 shelf;
		u8 slot;
	} addrs[] = { { 7, 1 }, { 0xffff, 1 }, { 7, 0xff }, { 0xffff, 0xff } };
	unsigned int ver, flags, cmd, a;
	size_t len;

	group("aoe_arg_len: section 1.4");
	for (cmd = 0; cmd < 256; cmd++)
		expect(aoe_arg_len(cmd) == (cmd < 4 ? need[cmd] - 10 : 0), "command %u", cmd);

	group("aoe_check: version before command before length, rows 2, 7 to 11");
	for (ver = 0; ver < 16; ver++)
	for (flags = 0; flags < 8; flags++)
	for (cmd = 0; cmd < 256; cmd++)
	for (a = 0; a < ARRAY_SIZE(addrs); a++)
	for (len = 10; len < 24; len++) {
		struct aoe_hdr hdr = header(ver << 4 | flags, addrs[a].shelf, addrs[a].slot, cmd);
		enum aoe_verdict want = AOE_ACCEPT;

		if (ver != 1)
			want = a ? AOE_DROP_VERSION : AOE_REFUSE_VERSION;
		else if (cmd >= 4)
			want = a ? AOE_DROP_COMMAND : AOE_REFUSE_COMMAND;
		else if (len < need[cmd])
			want = AOE_DROP_SHORT;
		expect(aoe_check(&hdr, len) == want, "version %u flags %u command %u address %u length %zu",
		       ver, flags, cmd, a, len);
	}
}

static void test_sectors(void)
{
	static const struct {
		unsigned int mtu, ceiling;
		u8 want;
	} rows[] = {
		{ 0, 0, 1 }, { 36, 0, 1 }, { 37, 0, 1 }, { 547, 0, 1 }, { 548, 0, 1 },
		{ 1042, 0, 1 }, { 1059, 0, 1 }, { 1060, 0, 2 },
		{ 1500, 0, 2 }, { 4131, 0, 7 }, { 4132, 0, 8 }, { 8227, 0, 15 }, { 8228, 0, 16 },
		{ 9000, 0, 17 }, { 9216, 0, 17 }, { 9251, 0, 17 }, { 9252, 0, 18 },
		{ 65535, 0, 127 }, { 65536, 0, 127 }, { 1U << 20, 0, 127 }, { ~0U, 0, 127 },
		{ 9000, 16, 16 }, { 9000, 17, 17 }, { 9000, 18, 17 }, { 9000, 1, 1 },
		{ 1500, 127, 2 }, { 100, 5, 1 }, { ~0U, ~0U, 127 },
	};
	unsigned int i, mtu;

	group("aoe_sectors: section 1.9");
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		expect(aoe_sectors(rows[i].mtu, rows[i].ceiling) == rows[i].want,
		       "MTU %u ceiling %u", rows[i].mtu, rows[i].ceiling);
	group("aoe_sectors: a full message always fits the MTU");
	for (mtu = 548; mtu <= 65536; mtu++)
		expect(22 + 512U * aoe_sectors(mtu, 0) <= mtu, "MTU %u", mtu);
	expect(AOE_MTU_MIN == 1042, "%zu", AOE_MTU_MIN);
}

/* Section 2.4, rows 30 to 38.  "len" is the field, "arg" what came. */
struct config_row {
	u8 ccmd;
	u16 len;
	const char *arg, *cur;
	enum aoe_config_verdict want;
};

static void test_config_rows(const struct config_row *rows, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		const struct config_row *r = &rows[i];
		size_t present = r->arg ? strlen(r->arg) : 0;
		/* Exactly as long as it is, so that a byte too far is seen. */
		char *arg = present ? malloc(present) : NULL;
		char *cur = malloc(strlen(r->cur));
		struct aoe_config cfg = { .ver_ccmd = r->ccmd, .len = cpu_to_be16(r->len) };
		int got;

		if (arg)
			memcpy(arg, r->arg, present);
		memcpy(cur, r->cur, strlen(r->cur));
		got = aoe_config_check(&cfg, arg, present, cur, strlen(r->cur));
		expect(got == (int)r->want, "row %u: verdict %d", i, got);
		free(arg);
		free(cur);
	}
}

static void test_config(void)
{
	static const struct config_row rows[] = {
		/* read: length and payload do not matter, row 30 */
		{ 0, 0, NULL, "", AOE_CONFIG_REPLY },
		{ 0, 0xffff, NULL, "abc", AOE_CONFIG_REPLY },
		{ 0, 1024, "x", "abc", AOE_CONFIG_REPLY },
		/* test: exact, row 31 */
		{ 1, 0, NULL, "", AOE_CONFIG_REPLY },
		{ 1, 0, NULL, "abc", AOE_CONFIG_SILENT },
		{ 1, 3, "abc", "abc", AOE_CONFIG_REPLY },
		{ 1, 3, "abd", "abc", AOE_CONFIG_SILENT },
		{ 1, 2, "ab", "abc", AOE_CONFIG_SILENT },
		{ 1, 4, "abcd", "abc", AOE_CONFIG_SILENT },
		{ 1, 3, "abcd", "abc", AOE_CONFIG_REPLY },	/* excess, row 36 */
		{ 1, 3, "ab", "abc", AOE_CONFIG_SILENT },	/* beyond the frame, row 35 */
		{ 1, 3, "abc", "", AOE_CONFIG_SILENT },
		/* prefix */
		{ 2, 0, NULL, "", AOE_CONFIG_REPLY },
		{ 2, 0, NULL, "abc", AOE_CONFIG_REPLY },
		{ 2, 2, "ab", "abc", AOE_CONFIG_REPLY },
		{ 2, 3, "abc", "abc", AOE_CONFIG_REPLY },
		{ 2, 4, "abcd", "abc", AOE_CONFIG_SILENT },
		{ 2, 2, "ac", "abc", AOE_CONFIG_SILENT },
		{ 2, 2, "a", "abc", AOE_CONFIG_SILENT },
		{ 2, 1, "a", "", AOE_CONFIG_SILENT },
		/* set: rows 32, 34, 37 */
		{ 3, 0, NULL, "", AOE_CONFIG_STORE },
		{ 3, 0, NULL, "abc", AOE_CONFIG_IN_USE },
		{ 3, 3, "abc", "", AOE_CONFIG_STORE },
		{ 3, 3, "abc", "abc", AOE_CONFIG_REPLY },
		{ 3, 3, "abcXYZ", "abc", AOE_CONFIG_REPLY },
		{ 3, 2, "ab", "abc", AOE_CONFIG_IN_USE },
		{ 3, 4, "abcd", "abc", AOE_CONFIG_IN_USE },
		{ 3, 4, "abc", "", AOE_CONFIG_BAD },
		{ 3, 4, "abc", "abc", AOE_CONFIG_BAD },
		{ 3, 1, NULL, "", AOE_CONFIG_BAD },
		{ 3, 0xffff, "abc", "", AOE_CONFIG_BAD },
		/* force set */
		{ 4, 0, NULL, "", AOE_CONFIG_STORE },
		{ 4, 0, NULL, "abc", AOE_CONFIG_STORE },
		{ 4, 3, "xyz", "abc", AOE_CONFIG_STORE },
		{ 4, 3, "xyzzy", "abc", AOE_CONFIG_STORE },
		{ 4, 4, "xyz", "abc", AOE_CONFIG_BAD },
		{ 4, 0xffff, "xyz", "abc", AOE_CONFIG_BAD },
		/* the version nibble of the request does not matter */
		{ 0xf4, 3, "xyz", "abc", AOE_CONFIG_STORE },
		{ 0x10, 3, "xyz", "abc", AOE_CONFIG_REPLY },
	};
	unsigned int ccmd;

	group("config query: section 2.4, rows 30 to 37");
	test_config_rows(rows, ARRAY_SIZE(rows));
	group("config query: unknown sub-commands, row 38");
	for (ccmd = 5; ccmd < 16; ccmd++) {
		struct config_row row = { ccmd, 0, NULL, "abc", AOE_CONFIG_BAD };

		test_config_rows(&row, 1);
	}
}

/* Rows 33 to 35 with the longest string. */
static void test_config_limit(void)
{
	static const struct {
		u8 ccmd;
		u16 len;
		enum aoe_config_verdict want;
	} rows[] = {
		{ 1, 1024, AOE_CONFIG_REPLY }, { 1, 1025, AOE_CONFIG_SILENT },
		{ 2, 1024, AOE_CONFIG_REPLY }, { 2, 1025, AOE_CONFIG_SILENT },
		{ 3, 1024, AOE_CONFIG_REPLY }, { 3, 1025, AOE_CONFIG_BAD },
		{ 4, 1024, AOE_CONFIG_STORE }, { 4, 1025, AOE_CONFIG_BAD },
	};
	char *arg = malloc(1400), *cur = malloc(AOE_CONFIG_MAX);
	unsigned int i;

	memset(arg, 'x', 1400);
	memset(cur, 'x', AOE_CONFIG_MAX);
	group("config query: 1024 bytes is the limit, rows 33 to 35");
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct aoe_config cfg = {
			.ver_ccmd = rows[i].ccmd, .len = cpu_to_be16(rows[i].len),
		};

		expect(aoe_config_check(&cfg, arg, 1400, cur, AOE_CONFIG_MAX) == rows[i].want,
		       "row %u", i);
	}
	free(arg);
	free(cur);
}

/* A MAC that tells its number. */
static const u8 *mac_of(unsigned int i)
{
	static u8 mac[ETH_ALEN];

	mac[0] = 0x02;
	mac[4] = i >> 8;
	mac[5] = i;
	return mac;
}

static void fill(struct aoe_maclist *list, unsigned int n)
{
	unsigned int i;

	list->n = 0;
	for (i = 0; i < n; i++)
		aoe_maclist_add(list, n, mac_of(i));
}

static void test_maclist(void)
{
	static struct aoe_maclist list;
	unsigned int i;

	group("lists of addresses: add, find, delete, order kept");
	fill(&list, AOE_RESERVE_MAX);
	expect(list.n == AOE_RESERVE_MAX, "%u", list.n);
	expect(aoe_maclist_add(&list, AOE_RESERVE_MAX, mac_of(5)), "repeat in a full list");
	expect(!aoe_maclist_add(&list, AOE_RESERVE_MAX, mac_of(9999)), "one more");
	expect(list.n == AOE_RESERVE_MAX, "%u", list.n);
	/* the last entry first: nothing is behind it to move */
	aoe_maclist_del(&list, mac_of(AOE_RESERVE_MAX - 1));
	aoe_maclist_del(&list, mac_of(0));
	aoe_maclist_del(&list, mac_of(100));
	aoe_maclist_del(&list, mac_of(9999));
	expect(list.n == AOE_RESERVE_MAX - 3, "%u", list.n);
	for (i = 0; i < AOE_RESERVE_MAX; i++) {
		int want = i - 1 - (i > 100);

		if (i == 0 || i == 100 || i == AOE_RESERVE_MAX - 1)
			want = -1;
		expect(aoe_maclist_find(&list, mac_of(i)) == want, "entry %u", i);
	}
	for (i = 0; i < AOE_RESERVE_MAX; i++)
		aoe_maclist_del(&list, mac_of(i));
	expect(list.n == 0, "%u", list.n);
}

struct mask_row {
	const char *name;
	unsigned int before;		/* entries 0 to before - 1 */
	struct {
		u8 dcmd;
		int mac;		/* number; -1: zero, -2: multicast */
	} dirs[4];
	unsigned int count;
	enum aoe_merror want;
	unsigned int done, after;
};

static void test_mask_row(const struct mask_row *r)
{
	static const u8 bad[2][ETH_ALEN] = { { 0 }, { 0x01, 0, 0, 0, 0, 1 } };
	static struct aoe_maclist list;
	struct aoe_mask_dir *dirs = calloc(r->count, sizeof(*dirs));
	unsigned int i, done = 99;
	enum aoe_merror err;

	for (i = 0; i < r->count; i++) {
		dirs[i].reserved = 0xa5;	/* ignored */
		dirs[i].dcmd = r->dirs[i].dcmd;
		memcpy(dirs[i].mac, r->dirs[i].mac < 0 ? bad[-r->dirs[i].mac - 1] :
		       mac_of(r->dirs[i].mac), ETH_ALEN);
	}
	fill(&list, r->before);
	err = aoe_mask_edit(&list, dirs, r->count, &done);
	expect(err == r->want, "%s: MError %d", r->name, err);
	expect(done == r->done, "%s: done %u", r->name, done);
	expect(list.n == r->after, "%s: %u entries", r->name, list.n);
	free(dirs);
}

static void test_mask(void)
{
	static const struct mask_row rows[] = {
		{ "no directive", 2, { }, 0, AOE_MERR_NONE, 0, 2 },
		{ "none skips", 2, { { 0, 50 }, { 0, -1 } }, 2, AOE_MERR_NONE, 2, 2 },
		{ "add", 0, { { 1, 7 }, { 1, 8 } }, 2, AOE_MERR_NONE, 2, 2 },
		{ "duplicate add", 3, { { 1, 1 }, { 1, 1 } }, 2, AOE_MERR_NONE, 2, 3 },
		{ "duplicate add when full", 185, { { 1, 184 } }, 1, AOE_MERR_NONE, 1, 185 },
		{ "one too many", 184, { { 1, 500 }, { 1, 501 }, { 2, 0 } }, 3, AOE_MERR_FULL, 1, 185 },
		{ "room made first", 185, { { 2, 0 }, { 1, 500 } }, 2, AOE_MERR_NONE, 2, 185 },
		{ "delete", 3, { { 2, 1 } }, 1, AOE_MERR_NONE, 1, 2 },
		{ "delete an absent one", 3, { { 2, 70 } }, 1, AOE_MERR_NONE, 1, 3 },
		{ "delete all", 2, { { 2, 0 }, { 2, 1 } }, 2, AOE_MERR_NONE, 2, 0 },
		{ "delete zero", 2, { { 2, -1 } }, 1, AOE_MERR_NONE, 1, 2 },
		{ "unknown directive", 1, { { 1, 9 }, { 3, 10 }, { 1, 11 } }, 3, AOE_MERR_DIRECTIVE, 1, 2 },
		{ "unknown directive 255", 1, { { 255, 0 } }, 1, AOE_MERR_DIRECTIVE, 0, 1 },
		{ "zero address", 1, { { 1, 9 }, { 1, -1 } }, 2, AOE_MERR_UNSPEC, 1, 2 },
		{ "multicast address", 1, { { 1, -2 } }, 1, AOE_MERR_UNSPEC, 0, 1 },
	};
	unsigned int i;

	group("mask edits: section 2.5, rows 42 to 46");
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		test_mask_row(&rows[i]);
}

static void test_reserve(void)
{
	u8 (*macs)[ETH_ALEN] = calloc(AOE_RESERVE_MAX, ETH_ALEN);
	static struct aoe_maclist list;
	unsigned int i;

	group("reserve lists: order kept, duplicates collapse, section 2.6");
	list.n = 17;
	aoe_reserve_parse(&list, NULL, 0);
	expect(list.n == 0, "%u", list.n);
	for (i = 0; i < AOE_RESERVE_MAX; i++)
		memcpy(macs[i], mac_of(i), ETH_ALEN);
	aoe_reserve_parse(&list, (const u8 (*)[ETH_ALEN])macs, AOE_RESERVE_MAX);
	expect(list.n == AOE_RESERVE_MAX, "%u", list.n);
	expect(!memcmp(list.mac, macs, sizeof(list.mac)), "the same list");
	for (i = 0; i < AOE_RESERVE_MAX; i++)
		memcpy(macs[i], mac_of(i / 2), ETH_ALEN);
	aoe_reserve_parse(&list, (const u8 (*)[ETH_ALEN])macs, AOE_RESERVE_MAX);
	expect(list.n == AOE_RESERVE_MAX / 2, "%u", list.n);
	expect(!memcmp(list.mac[50], mac_of(50), ETH_ALEN), "entry 50");
	free(macs);
}

static void test_limits(void)
{
	group("limits: replies with full lists fit MTU 1500, section 1.9");
	expect(14 + 8 * AOE_MASK_MAX <= 1500, "mask");
	expect(12 + 6 * AOE_RESERVE_MAX <= 1500, "reserve");
	expect(AOE_MASK_MAX < 256 && AOE_RESERVE_MAX < 256, "one byte of count");
}

int main(void)
{
	test_addresses();
	test_check();
	test_sectors();
	test_config();
	test_config_limit();
	test_maclist();
	test_mask();
	test_reserve();
	test_limits();
	return finish();
}
