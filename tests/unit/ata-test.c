// SPDX-License-Identifier: GPL-2.0
/*
 * Tables for ata.h.  Rows and sections are those of
 * Documentation/protocol.rst.
 */
#include "ata.h"
#include "unit.h"

#define EXT	AOE_ATA_EXT
#define W	AOE_ATA_WRITE
#define OP(op)	ata_lookup(op)

/* Section 3.4, written down a second time: by kind, not by table position. */
static const struct {
	const char *opcodes;	/* hexadecimal */
	struct ata_op op;
} kinds[] = {
	{ "20 21 c8 c9", { ATA_READ } },
	{ "24 25", { ATA_READ, ATA_OP_EXT } },
	{ "30 31 ca cb", { ATA_WRITE } },
	{ "34 35", { ATA_WRITE, ATA_OP_EXT } },
	{ "3d", { ATA_WRITE, ATA_OP_EXT | ATA_OP_FUA } },
	{ "40 41", { ATA_VERIFY } },
	{ "42", { ATA_VERIFY, ATA_OP_EXT } },
	{ "e7 ea", { ATA_FLUSH } },
	{ "06", { ATA_TRIM, ATA_OP_EXT } },
	{ "ec", { ATA_IDENTIFY } },
	{ "e5 98", { ATA_CHECK_POWER } },
	{ "e1 95 e2 96 e3 97", { ATA_POWER } },
	{ "e0 94 e6 99", { ATA_POWER_FLUSH } },
	{ "ef", { ATA_SET_FEATURES } },
};

static struct ata_op expected_op(unsigned int opcode)
{
	char hex[3];
	unsigned int i;

	snprintf(hex, sizeof(hex), "%02x", opcode);
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strstr(kinds[i].opcodes, hex))
			return kinds[i].op;
	return (struct ata_op) { ATA_ABORT };
}

static void test_lookup(void)
{
	unsigned int opcode;

	group("opcodes: all 256 of section 3.4, row 73");
	for (opcode = 0; opcode < 256; opcode++) {
		struct ata_op got = ata_lookup(opcode), want = expected_op(opcode);

		expect(got.kind == want.kind, "opcode %02x: kind %u", opcode, got.kind);
		expect(got.flags == want.flags, "opcode %02x: flags %u", opcode, got.flags);
	}
}

static void test_lba(void)
{
	static const struct {
		u8 lba[6];
		bool ext;
		u64 want;
	} rows[] = {
		{ { 0 }, false, 0 },
		{ { 1, 2, 3, 4, 5, 6 }, true, 0x060504030201 },
		{ { 1, 2, 3, 4, 5, 6 }, false, 0x04030201 },
		{ { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, true, 0xffffffffffff },
		{ { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, false, 0x0fffffff },
		/* the sign of an int must not spread: bit 23, bit 31 */
		{ { 0, 0, 0x80, 0, 0, 0 }, true, 0x800000 },
		{ { 0, 0, 0, 0x80, 0, 0 }, true, 0x80000000 },
		{ { 0, 0, 0, 0xe8, 0, 0 }, false, 0x08000000 },
		{ { 0, 0, 0, 0xa0, 0, 0 }, false, 0 },
	};
	unsigned int i, e;

	group("LBA: decoded by opcode, not by the E flag, rows 65 and 67");
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		for (e = 0; e < 2; e++) {
			struct aoe_ata ata = { .aflags = e ? EXT : 0 };

			memcpy(ata.lba, rows[i].lba, 6);
			expect(ata_lba(&ata, rows[i].ext) == rows[i].want, "row %u", i);
		}
}

static void test_set_lba(void)
{
	static const struct {
		u8 aflags;
		u64 lba;
		u8 want[6];
	} rows[] = {
		{ EXT, 0x060504030201, { 1, 2, 3, 4, 5, 6 } },
		{ EXT, 0, { 0, 0, 0, 0, 0, 0 } },
		/* 28 bits: device nibble and the upper registers are the request's */
		{ 0, 0x04030201, { 1, 2, 3, 0xe4, 0xdd, 0xdd } },
		{ 0, 0x10000000, { 0, 0, 0, 0xe0, 0xdd, 0xdd } },
	};
	unsigned int i;

	group("LBA: written back in the form of the request");
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct aoe_ata ata = {
			.aflags = rows[i].aflags,
			.lba = { 0xdd, 0xdd, 0xdd, 0xed, 0xdd, 0xdd },
			.reserved = { 0x11, 0x22 },
		};

		ata_set_lba(&ata, rows[i].lba);
		expect(!memcmp(ata.lba, rows[i].want, 6), "row %u", i);
		expect(ata.reserved[0] == 0x11 && ata.reserved[1] == 0x22, "row %u", i);
	}
}

static void test_range(void)
{
	static const struct {
		u64 lba, count, capacity;
		bool want;
	} rows[] = {
		{ 0, 0, 0, true }, { 0, 1, 0, false },
		{ 0, 1, 1, true }, { 1, 1, 1, false }, { 1, 0, 1, true },
		{ 99, 1, 100, true }, { 100, 1, 100, false },		/* row 62 */
		{ 98, 2, 100, true }, { 99, 2, 100, false },		/* row 63 */
		{ 0, 100, 100, true }, { 0, 101, 100, false },
		{ (1ULL << 48) - 1, 2, 100, false },			/* row 64 */
		{ (1ULL << 48) - 1, 1, 1ULL << 48, true },
		{ (1ULL << 48) - 1, 2, 1ULL << 48, false },
		{ ~0ULL, 1, 100, false }, { ~0ULL, 2, ~0ULL, false },
		{ 0, 65536, 65535, false }, { 0, 65536, 65536, true },
	};
	unsigned int i;

	group("ranges: rows 62 to 64");
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		expect(ata_in_range(rows[i].lba, rows[i].count, rows[i].capacity) == rows[i].want,
		       "row %u", i);
}

#define ABRT	ATA_ERROR_ABRT
#define IDNF	ATA_ERROR_IDNF
#define RO	1
#define TRIM	2	/* offered, up to 2 blocks */
#define SHORT_TRIM	4	/* up to 1: another interface has a smaller MTU */

/* An export of 1000 sectors at MTU 1500. */
struct check_row {
	int row;		/* of section 5 */
	u8 opcode, aflags, feature, count;
	u64 lba;
	size_t payload;
	int export;		/* RO, TRIM, SHORT_TRIM */
	u8 want;
};

static const struct check_row check_rows[] = {
	{ 56, 0x20, 0, 0, 0, 0, 0, 0, ABRT },
	{ 56, 0x24, EXT, 0, 0, 0, 0, 0, ABRT },
	{ 56, 0x30, W, 0, 0, 0, 1024, 0, ABRT },
	{ 56, 0x34, W | EXT, 0, 0, 0, 1024, 0, ABRT },
	{ 57, 0x40, 0, 0, 0, 744, 0, 0, 0 },		/* 256 fit exactly */
	{ 57, 0x40, 0, 0, 0, 745, 0, 0, IDNF },
	{ 57, 0x42, EXT, 0, 0, 0, 0, 0, IDNF },		/* 65536 of 1000 */
	{ 57, 0x40, 0, 0, 200, 800, 0, 0, 0 },		/* more than fits a frame */
	{ 57, 0x40, 0, 0, 200, 801, 0, 0, IDNF },
	{ 59, 0x24, EXT, 0, 3, 0, 0, 0, ABRT },
	{ 59, 0x24, EXT, 0, 2, 0, 0, 0, 0 },
	{ 59, 0x24, EXT, 0, 255, 0, 0, 0, ABRT },
	{ 59, 0x34, W | EXT, 0, 3, 0, 1536, 0, ABRT },
	{ 60, 0x34, W | EXT, 0, 2, 0, 1023, 0, ABRT },
	{ 60, 0x34, W | EXT, 0, 1, 0, 24, 0, ABRT },
	{ 60, 0x34, W | EXT, 0, 1, 0, 0, 0, ABRT },
	{ 60, 0x34, W | EXT, 0, 2, 0, 1024, 0, 0 },
	{ 60, 0x34, W | EXT, 0, 1, 0, 1400, 0, 0 },
	{ 61, 0x24, EXT, 0, 1, 0, 1400, 0, 0 },
	{ 61, 0xec, 0, 0, 1, 0, 1400, 0, 0 },
	{ 62, 0x24, EXT, 0, 1, 1000, 0, 0, IDNF },
	{ 62, 0x24, EXT, 0, 1, 999, 0, 0, 0 },
	{ 62, 0x34, W | EXT, 0, 1, 1000, 512, 0, IDNF },
	{ 62, 0x34, W | EXT, 0, 1, 999, 512, 0, 0 },
	{ 63, 0x24, EXT, 0, 2, 999, 0, 0, IDNF },
	{ 63, 0x34, W | EXT, 0, 2, 999, 1024, 0, IDNF },
	{ 64, 0x24, EXT, 0, 2, 0xffffffffffff, 0, 0, IDNF },
	{ 65, 0x20, 0, 0, 1, 0xffff00000003, 0, 0, 0 },
	{ 65, 0x20, 0, 0, 1, 0x0000f0000003, 0, 0, 0 },
	{ 66, 0x24, 0, 0, 1, 0, 0, 0, ABRT },
	{ 66, 0x25, 0, 0, 1, 0, 0, 0, ABRT },
	{ 66, 0x34, W, 0, 1, 0, 512, 0, ABRT },
	{ 66, 0x35, W, 0, 1, 0, 512, 0, ABRT },
	{ 66, 0x3d, W, 0, 1, 0, 512, 0, ABRT },
	{ 66, 0x42, 0, 0, 1, 0, 0, 0, ABRT },
	{ 66, 0x06, W, 1, 1, 0, 512, TRIM, ABRT },
	{ 66, 0xea, 0, 0, 0, 0, 0, 0, 0 },
	{ 66, 0xea, EXT, 0, 0, 0, 0, 0, 0 },
	{ 66, 0xe7, EXT, 0, 0, 0, 0, 0, 0 },
	{ 67, 0x20, EXT, 0, 1, 0xffff00000003, 0, 0, 0 },
	{ 67, 0x30, W | EXT, 0, 1, 0xffff00000003, 512, 0, 0 },
	{ 68, 0x20, 0, 0, 1, 0x0fffffff, 0, 0, IDNF },
	{ 69, 0x34, EXT, 0, 1, 0, 512, 0, ABRT },
	{ 69, 0x30, 0, 0, 1, 0, 512, 0, ABRT },
	{ 69, 0x24, W | EXT, 0, 1, 0, 512, 0, ABRT },
	{ 69, 0x20, W, 0, 1, 0, 0, 0, ABRT },
	{ 69, 0x24, W | EXT, 0, 1, 5000, 512, 0, ABRT },	/* before the range */
	{ 70, 0x24, EXT | AOE_ATA_ASYNC | AOE_ATA_DEV, 0, 1, 0, 0, 0, 0 },
	{ 70, 0xe7, AOE_ATA_ASYNC | AOE_ATA_DEV | W, 0, 0, 0, 0, 0, 0 },
	{ 70, 0x34, EXT | W | AOE_ATA_ASYNC | AOE_ATA_DEV, 0, 1, 0, 512, 0, 0 },
	{ 71, 0x24, EXT | 0xac, 0, 1, 0, 0, 0, 0 },
	{ 72, 0x34, W | EXT, 0, 1, 0, 512, RO, ABRT },
	{ 72, 0x34, W | EXT, 0, 1, 5000, 512, RO, ABRT },
	{ 72, 0x06, W | EXT, 1, 1, 0, 512, RO | TRIM, ABRT },
	{ 72, 0xe7, 0, 0, 0, 0, 0, RO, 0 },
	{ 72, 0xea, EXT, 0, 0, 0, 0, RO, 0 },
	{ 72, 0x24, EXT, 0, 1, 0, 0, RO, 0 },
	{ 74, 0xec, 0, 0, 0, 0, 0, 0, 0 },
	{ 74, 0xec, 0, 0, 255, 0, 0, 0, 0 },
	{ 74, 0xec, EXT, 0, 1, 0xffffffffffff, 0, 0, 0 },
	{ 76, 0x06, W | EXT, 1, 1, 0, 512, TRIM, 0 },
	{ 76, 0x06, W | EXT, 1, 2, 0xffffffffffff, 1024, TRIM, 0 },
	{ 76, 0x06, W | EXT, 1, 1, 0, 512, 0, ABRT },		/* TRIM off */
	{ 76, 0x06, W | EXT, 0, 1, 0, 512, TRIM, ABRT },
	{ 76, 0x06, W | EXT, 3, 1, 0, 512, TRIM, ABRT },
	{ 76, 0x06, EXT, 1, 1, 0, 512, TRIM, ABRT },
	{ 76, 0x06, W | EXT, 1, 0, 0, 512, TRIM, ABRT },
	{ 76, 0x06, W | EXT, 1, 3, 0, 1536, TRIM, ABRT },
	{ 76, 0x06, W | EXT, 1, 1, 0, 511, TRIM, ABRT },
	{ 76, 0x06, W | EXT, 1, 2, 0, 1024, SHORT_TRIM, ABRT },
	{ 76, 0x06, W | EXT, 1, 1, 0, 1024, SHORT_TRIM, 0 },
};

static void test_check(void)
{
	unsigned int i, opcode;

	group("checks of one command: rows 56 to 76");
	for (i = 0; i < ARRAY_SIZE(check_rows); i++) {
		const struct check_row *r = &check_rows[i];
		struct ata_limits lim = {
			.capacity = 1000, .max_sectors = 2, .payload = r->payload,
			.read_only = r->export & RO,
			.trim_blocks = r->export & SHORT_TRIM ? 1 : r->export & TRIM ? 2 : 0,
		};
		struct aoe_ata ata = {
			.aflags = r->aflags, .err_feature = r->feature,
			.nsect = r->count, .cmd_status = r->opcode,
			.lba = { r->lba, r->lba >> 8, r->lba >> 16,
				 r->lba >> 24, r->lba >> 32, r->lba >> 40 },
			.reserved = { 0xff, 0xff },
		};
		u8 got = ata_check(OP(r->opcode), &ata, &lim);

		expect(got == r->want, "entry %u (row %d): error %02x", i, r->row, got);
	}

	group("checks: an opcode that is not there is aborted, row 73");
	for (opcode = 0; opcode < 256; opcode++) {
		struct ata_limits lim = { .capacity = 1000, .max_sectors = 2, .payload = 1024 };
		struct aoe_ata ata = { .aflags = EXT, .nsect = 1, .cmd_status = opcode };
		struct ata_op op = expected_op(opcode);

		if (op.kind == ATA_ABORT)
			expect(ata_check(op, &ata, &lim) == ABRT, "opcode %02x", opcode);
	}
}

static void test_sectors(void)
{
	struct aoe_ata ata = { 0 };

	group("sector counts: 0 has a meaning for VERIFY only, rows 56 to 58");
	expect(ata_sectors(OP(0x40), &ata) == 256, "VERIFY");
	expect(ata_sectors(OP(0x42), &ata) == 65536, "VERIFY EXT");
	expect(ata_sectors(OP(0x24), &ata) == 0, "READ");
	expect(ata_sectors(OP(0x34), &ata) == 0, "WRITE");
	ata.nsect = 255;
	expect(ata_sectors(OP(0x42), &ata) == 255, "VERIFY EXT 255");
	expect(ata_sectors(OP(0x24), &ata) == 255, "READ 255");
}

static void test_trim(void)
{
	u64 lba;

	group("TRIM entries: 48 bits of address, 16 of count");
	expect(ata_trim_range(0, &lba) == 0 && lba == 0, "unused");
	expect(ata_trim_range(~0ULL, &lba) == 0xffff && lba == 0xffffffffffff, "all ones");
	expect(ata_trim_range(0x0008000000000010ULL, &lba) == 8 && lba == 16, "8 at 16");
	expect(ata_trim_range(0x0000ffffffffffffULL, &lba) == 0, "unused with an address");
}

static u16 word(const u8 *id, unsigned int w)
{
	return id[2 * w] | id[2 * w + 1] << 8;
}

static const struct ata_identity plain = {
	.capacity = 0x123456789abcULL, .wwn = 0x5aabbccddeeff012ULL,
	.serial = "SER 1", .firmware = "0.1", .model = "AB model",
	.look_ahead = true,
};

/* Section 3.7: every word that is not zero, for "plain" and a few variants. */
static void test_identify_words(void)
{
	static const struct {
		u16 word, val;
	} want[] = {
		{ 0, 0x0040 }, { 1, 16383 }, { 3, 16 }, { 6, 63 }, { 2, 0xc837 },
		{ 47, 0x8000 }, { 48, 0x4000 }, { 49, 0x2f00 }, { 50, 0x4000 }, { 53, 7 },
		{ 54, 16383 }, { 55, 16 }, { 56, 63 },
		{ 57, (16383 * 16 * 63) & 0xffff }, { 58, (16383 * 16 * 63) >> 16 },
		{ 60, 0xffff }, { 61, 0x0fff },
		{ 63, 7 }, { 64, 3 }, { 65, 120 }, { 66, 120 }, { 67, 120 }, { 68, 120 },
		{ 80, 0x03f0 }, { 82, 0x0048 }, { 83, 0x7400 }, { 84, 0x4140 },
		{ 85, 0x0048 }, { 86, 0xb400 }, { 87, 0x4140 }, { 88, 0x407f },
		{ 93, 0x400b }, { 100, 0x9abc }, { 101, 0x5678 }, { 102, 0x1234 },
		{ 106, 0x4000 }, { 108, 0x5aab }, { 109, 0xbccd }, { 110, 0xdeef }, { 111, 0xf012 },
		{ 119, 0x4000 }, { 120, 0x4000 }, { 209, 0x4000 },
	};
	u8 id[512], sum = 0;
	unsigned int i, w;

	group("IDENTIFY: every word of section 3.7, zero elsewhere");
	memset(id, 0xee, sizeof(id));
	ata_identify(id, &plain);
	for (w = 0; w < 255; w++) {
		u16 val = 0;

		if ((w >= 10 && w < 20) || (w >= 23 && w < 47))
			continue;	/* strings */
		for (i = 0; i < ARRAY_SIZE(want); i++)
			if (want[i].word == w)
				val = want[i].val;
		expect(word(id, w) == val, "word %u: %04x, not %04x", w, word(id, w), val);
	}
	for (i = 0; i < 512; i++)
		sum += id[i];
	expect(sum == 0, "checksum: %02x", sum);
	expect(id[510] == 0xa5, "signature");
}

static void test_identify_strings(void)
{
	struct ata_identity me = plain;
	u8 id[512];

	group("IDENTIFY: strings are swapped by pairs and padded with spaces");
	ata_identify(id, &me);
	expect(!memcmp(id + 20, "ES R 1              ", 20), "serial padding");
	expect(!memcmp(id + 46, ".0 1    ", 8), "firmware");
	expect(!memcmp(id + 54, "BAm dole                                ", 40), "model");
	me.serial = "12345678901234567890XX";
	me.model = "";
	ata_identify(id, &me);
	expect(!memcmp(id + 20, "21436587092143658709", 20), "full serial");
	expect(word(id, 20) == 0, "nothing behind it");
	expect(!memcmp(id + 54, "                                        ", 40), "empty model");
}

static void test_identify_variants(void)
{
	struct ata_identity me = plain;
	u8 id[512];

	group("IDENTIFY: capacity, cache, TRIM and geometry variants");
	me.capacity = 2048;
	me.wcache_supported = true;
	me.look_ahead = false;
	me.trim_blocks = 2;
	me.phys_shift = 3;
	me.align = 7;
	me.rotation = 7200;
	ata_identify(id, &me);
	expect(word(id, 1) == 2 && word(id, 54) == 2, "cylinders: %u", word(id, 1));
	expect(word(id, 57) == 2016 && word(id, 58) == 0, "CHS: %u", word(id, 57));
	expect(word(id, 60) == 2048 && word(id, 61) == 0, "LBA28: %u", word(id, 60));
	expect(word(id, 100) == 2048 && word(id, 101) == 0, "LBA48: %u", word(id, 100));
	expect(word(id, 82) == 0x0068, "supported: %04x", word(id, 82));
	expect(word(id, 85) == 0x0008, "enabled: %04x", word(id, 85));
	expect(word(id, 105) == 2 && word(id, 169) == 1, "TRIM");
	expect(word(id, 106) == 0x6003, "sector sizes: %04x", word(id, 106));
	expect(word(id, 209) == 0x4007, "alignment: %04x", word(id, 209));
	expect(word(id, 217) == 7200, "rotation");
	expect((u8)(ata_checksum(id) - id[511]) == 0, "checksum");
	me.wcache_enabled = true;
	ata_identify(id, &me);
	expect(word(id, 85) == 0x0028, "enabled: %04x", word(id, 85));
	/* the LBA28 words stop where 28 bits stop, row 68 */
	me.capacity = 0x0fffffff;
	ata_identify(id, &me);
	expect(word(id, 60) == 0xffff && word(id, 61) == 0x0fff, "just below");
	me.capacity = 0x10000000;
	ata_identify(id, &me);
	expect(word(id, 60) == 0xffff && word(id, 61) == 0x0fff, "just above");
	expect(word(id, 101) == 0x1000, "LBA48");
	me.capacity = 0xffffffffffffULL;
	ata_identify(id, &me);
	expect(word(id, 100) == 0xffff && word(id, 102) == 0xffff && word(id, 103) == 0, "48 bits");
}

int main(void)
{
	test_lookup();
	test_lba();
	test_set_lba();
	test_range();
	test_check();
	test_sectors();
	test_trim();
	test_identify_words();
	test_identify_strings();
	test_identify_variants();
	return finish();
}
