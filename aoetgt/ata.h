/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ATA disk that an export pretends to be: which opcodes exist, how their
 * registers are read, what is refused, and what IDENTIFY DEVICE says.
 *
 * Pure like proto.h, and compiled in user space too.  Section numbers are
 * those of Documentation/protocol.rst.
 */
#ifndef AOETGT_ATA_H
#define AOETGT_ATA_H

#include "proto.h"

/* Status and error registers, section 3.6. */
#define ATA_STATUS_OK		0x40	/* DRDY */
#define ATA_STATUS_ERR		0x41	/* DRDY, ERR */
#define ATA_STATUS_FAULT	0x61	/* DRDY, DF, ERR: DF alone escapes iPXE */
#define ATA_ERROR_ABRT		0x04
#define ATA_ERROR_IDNF		0x10
#define ATA_ERROR_UNC		0x40

#define ATA_LBA28_MAX		0x0fffffffULL
#define ATA_POWER_ACTIVE	0xff

/* What a command asks of the target. */
enum ata_kind {
	ATA_ABORT,			/* not implemented: ABRT */
	ATA_READ,
	ATA_WRITE,
	ATA_VERIFY,
	ATA_FLUSH,
	ATA_TRIM,
	ATA_IDENTIFY,
	ATA_CHECK_POWER,
	ATA_POWER,			/* idle and the like: nothing to do */
	ATA_POWER_FLUSH,		/* standby immediate, sleep: flush first */
	ATA_SET_FEATURES,
};

struct ata_op {
	u8 kind;			/* enum ata_kind */
	u8 flags;
};

#define ATA_OP_EXT		0x01	/* 48-bit registers, needs AFlags E */
#define ATA_OP_FUA		0x02	/* on stable media before the answer */

/**
 * ata_lookup() - what an opcode means
 * @opcode: Command register
 *
 * Return: kind and flags; ATA_ABORT for what is not implemented.  Section 3.4.
 */
static inline struct ata_op ata_lookup(u8 opcode)
{
	static const struct ata_op table[256] = {
		[0x20] = { ATA_READ },
		[0x21] = { ATA_READ },
		[0x24] = { ATA_READ, ATA_OP_EXT },
		[0x25] = { ATA_READ, ATA_OP_EXT },
		[0xc8] = { ATA_READ },
		[0xc9] = { ATA_READ },
		[0x30] = { ATA_WRITE },
		[0x31] = { ATA_WRITE },
		[0x34] = { ATA_WRITE, ATA_OP_EXT },
		[0x35] = { ATA_WRITE, ATA_OP_EXT },
		[0x3d] = { ATA_WRITE, ATA_OP_EXT | ATA_OP_FUA },
		[0xca] = { ATA_WRITE },
		[0xcb] = { ATA_WRITE },
		[0x40] = { ATA_VERIFY },
		[0x41] = { ATA_VERIFY },
		[0x42] = { ATA_VERIFY, ATA_OP_EXT },
		[0xe7] = { ATA_FLUSH },
		[0xea] = { ATA_FLUSH },		/* no address: E does not matter */
		[0x06] = { ATA_TRIM, ATA_OP_EXT },
		[0xec] = { ATA_IDENTIFY },
		[0xe5] = { ATA_CHECK_POWER },
		[0x98] = { ATA_CHECK_POWER },
		[0xe0] = { ATA_POWER_FLUSH },
		[0x94] = { ATA_POWER_FLUSH },
		[0xe1] = { ATA_POWER },
		[0x95] = { ATA_POWER },
		[0xe2] = { ATA_POWER },
		[0x96] = { ATA_POWER },
		[0xe3] = { ATA_POWER },
		[0x97] = { ATA_POWER },
		[0xe6] = { ATA_POWER_FLUSH },
		[0x99] = { ATA_POWER_FLUSH },
		[0xef] = { ATA_SET_FEATURES },
	};

	return table[opcode];
}

/**
 * ata_lba() - the address of a command
 * @ata: registers as they came
 * @ext: is it a 48-bit command?
 *
 * The opcode decides, not the E flag: 28-bit commands use 28 bits whatever is
 * set above.  Section 3.2.
 */
static inline u64 ata_lba(const struct aoe_ata *ata, bool ext)
{
	u32 low = ata->lba[0] | ata->lba[1] << 8 | ata->lba[2] << 16 | (u32)ata->lba[3] << 24;
	u64 high = ata->lba[4] | ata->lba[5] << 8;

	return ext ? high << 32 | low : low & ATA_LBA28_MAX;
}

/**
 * ata_set_lba() - put an address into the registers of a reply
 * @ata: registers of the reply, holding what the request had
 * @lba: the address
 *
 * With 28-bit registers the high nibble of lba3 is the device register and
 * stays.
 */
static inline void ata_set_lba(struct aoe_ata *ata, u64 lba)
{
	bool ext = ata->aflags & AOE_ATA_EXT;

	ata->lba[0] = lba;
	ata->lba[1] = lba >> 8;
	ata->lba[2] = lba >> 16;
	if (!ext) {
		ata->lba[3] = (ata->lba[3] & 0xf0) | ((lba >> 24) & 0x0f);
		return;
	}
	ata->lba[3] = lba >> 24;
	ata->lba[4] = lba >> 32;
	ata->lba[5] = lba >> 40;
}

/**
 * ata_in_range() - does a range lie within the disk?
 * @lba: first sector
 * @count: number of sectors
 * @capacity: size of the disk in sectors
 */
static inline bool ata_in_range(u64 lba, u64 count, u64 capacity)
{
	return count <= capacity && lba <= capacity - count;
}

/* What the checks of a command need to know of the export. */
struct ata_limits {
	u64 capacity;			/* sectors */
	unsigned int max_sectors;	/* of one message on this interface */
	size_t payload;			/* bytes behind the ATA header */
	bool read_only;
	unsigned int trim_blocks;	/* largest payload of a TRIM, 0: not offered */
};

/**
 * ata_sectors() - how many sectors a data or VERIFY command is about
 * @op: the command
 * @ata: registers as they came
 *
 * Return: sectors; 0 stays 0 for reads and writes, whose 256 or 65536 sectors
 * do not fit a frame, and has its ATA meaning for VERIFY.  Rows 56 to 58.
 */
static inline u32 ata_sectors(struct ata_op op, const struct aoe_ata *ata)
{
	if (op.kind != ATA_VERIFY || ata->nsect)
		return ata->nsect;
	return op.flags & ATA_OP_EXT ? 65536 : 256;
}

static inline u8 ata_check_write(const struct aoe_ata *ata, const struct ata_limits *lim)
{
	bool ok = (ata->aflags & AOE_ATA_WRITE) && !lim->read_only &&
		  ata->nsect && ata->nsect <= lim->max_sectors &&
		  lim->payload >= (size_t)ata->nsect * AOE_SECTOR;

	return ok ? 0 : ATA_ERROR_ABRT;
}

static inline u8 ata_check_trim(const struct aoe_ata *ata, const struct ata_limits *lim)
{
	if (ata->nsect > lim->trim_blocks || ata->err_feature != 0x01)
		return ATA_ERROR_ABRT;
	return ata_check_write(ata, lim);
}

static inline u8 ata_check_read(const struct aoe_ata *ata, const struct ata_limits *lim)
{
	bool ok = !(ata->aflags & AOE_ATA_WRITE) && ata->nsect && ata->nsect <= lim->max_sectors;

	return ok ? 0 : ATA_ERROR_ABRT;
}

/**
 * ata_check() - may this command be carried out?
 * @op: what the opcode means
 * @ata: registers as they came
 * @lim: the export
 *
 * Judges everything that can be judged from the frame; ranges inside a TRIM
 * payload come later.  A command that is not permitted is reported before an
 * address out of range.  Sections 2.7, 3.2 and 3.4.
 *
 * Return: 0, or the Error register to answer with.
 */
static inline u8 ata_check(struct ata_op op, const struct aoe_ata *ata,
			   const struct ata_limits *lim)
{
	bool ext = op.flags & ATA_OP_EXT;
	u8 err = 0;

	if (ext && !(ata->aflags & AOE_ATA_EXT))
		return ATA_ERROR_ABRT;
	switch (op.kind) {
	case ATA_ABORT:
		return ATA_ERROR_ABRT;
	case ATA_TRIM:
		return ata_check_trim(ata, lim);
	case ATA_READ:
		err = ata_check_read(ata, lim);
		break;
	case ATA_WRITE:
		err = ata_check_write(ata, lim);
		break;
	case ATA_VERIFY:
		break;
	default:
		return 0;
	}
	if (!err && !ata_in_range(ata_lba(ata, ext), ata_sectors(op, ata), lim->capacity))
		err = ATA_ERROR_IDNF;
	return err;
}

#define ATA_TRIM_PER_SECTOR	(AOE_SECTOR / 8)

/**
 * ata_trim_range() - decode one entry of a TRIM payload
 * @entry: the 64 bits, in CPU order
 * @lba: set to the first sector
 *
 * Return: number of sectors; 0 for an unused entry.  Section 3.5.
 */
static inline u32 ata_trim_range(u64 entry, u64 *lba)
{
	*lba = entry & ((1ULL << 48) - 1);
	return entry >> 48;
}

/* SET FEATURES sub-commands that are not aborted, section 3.5. */
enum ata_feature {
	ATA_FEATURE_WCACHE_ON		= 0x02,
	ATA_FEATURE_XFER		= 0x03,
	ATA_FEATURE_AHEAD_OFF		= 0x55,
	ATA_FEATURE_KEEP		= 0x66,
	ATA_FEATURE_WCACHE_OFF		= 0x82,
	ATA_FEATURE_AHEAD_ON		= 0xaa,
	ATA_FEATURE_REVERT		= 0xcc,
};

#define ATA_SERIAL_LEN		20
#define ATA_FIRMWARE_LEN	8
#define ATA_MODEL_LEN		40

/* What IDENTIFY DEVICE has to tell of an export. */
struct ata_identity {
	u64 capacity;			/* sectors */
	u64 wwn;			/* NAA 5 identifier */
	const char *serial;
	const char *firmware;
	const char *model;
	u8 phys_shift;			/* log2 of logical sectors per physical one */
	u16 align;			/* sector of the physical one that LBA 0 is */
	u16 rotation;			/* word 217 */
	u8 trim_blocks;			/* word 105; 0: no TRIM */
	bool wcache_supported;		/* there is a volatile cache and it may be used */
	bool wcache_enabled;
	bool look_ahead;
};

static inline void ata_put_word(u8 *id, unsigned int word, u16 val)
{
	id[2 * word] = val & 0xff;
	id[2 * word + 1] = val >> 8;
}

/* ATA strings have the first character of each pair in the high byte. */
static inline void ata_put_string(u8 *id, unsigned int word, const char *s, unsigned int len)
{
	unsigned int i;

	for (i = 0; i < len; i++)
		id[2 * word + (i ^ 1)] = *s ? *s++ : ' ';
}

static inline void ata_put_u64(u8 *id, unsigned int word, u64 val)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		ata_put_word(id, word + i, val >> (16 * i));
}

static inline void ata_identify_geometry(u8 *id, u64 capacity)
{
	u32 lba28 = min_t(u64, capacity, ATA_LBA28_MAX);
	u16 cylinders = min_t(u32, lba28 / (16 * 63), 16383);
	u32 chs = cylinders * 16 * 63;

	ata_put_word(id, 1, cylinders);
	ata_put_word(id, 3, 16);
	ata_put_word(id, 6, 63);
	ata_put_word(id, 54, cylinders);
	ata_put_word(id, 55, 16);
	ata_put_word(id, 56, 63);
	ata_put_word(id, 57, chs);
	ata_put_word(id, 58, chs >> 16);
	ata_put_word(id, 60, lba28);
	ata_put_word(id, 61, lba28 >> 16);
	ata_put_u64(id, 100, capacity);
}

static inline void ata_identify_features(u8 *id, const struct ata_identity *me)
{
	ata_put_word(id, 82, 0x0048 | (me->wcache_supported ? 0x0020 : 0));
	ata_put_word(id, 83, 0x7400);	/* FLUSH, FLUSH EXT, LBA48 */
	ata_put_word(id, 84, 0x4140);	/* WRITE DMA FUA EXT, WWN */
	ata_put_word(id, 85, 0x0008 | (me->look_ahead ? 0x0040 : 0) |
			     (me->wcache_enabled ? 0x0020 : 0));
	ata_put_word(id, 86, 0xb400);	/* as 83; words 119 and 120 are valid */
	ata_put_word(id, 87, 0x4140);
	ata_put_word(id, 119, 0x4000);
	ata_put_word(id, 120, 0x4000);
	if (me->trim_blocks) {
		ata_put_word(id, 105, me->trim_blocks);
		ata_put_word(id, 169, 0x0001);
	}
}

static inline void ata_identify_media(u8 *id, const struct ata_identity *me)
{
	ata_put_word(id, 106, 0x4000 | (me->phys_shift ? 0x2000 | me->phys_shift : 0));
	ata_put_word(id, 108, me->wwn >> 48);
	ata_put_word(id, 109, me->wwn >> 32);
	ata_put_word(id, 110, me->wwn >> 16);
	ata_put_word(id, 111, me->wwn);
	ata_put_word(id, 209, 0x4000 | me->align);
	ata_put_word(id, 217, me->rotation);
}

static inline u8 ata_checksum(const u8 *id)
{
	unsigned int i;
	u8 sum = 0;

	for (i = 0; i < AOE_SECTOR - 1; i++)
		sum += id[i];
	return -sum;
}

/**
 * ata_identify() - build the data of IDENTIFY DEVICE
 * @id: AOE_SECTOR bytes, all of them are set
 * @me: what to say
 *
 * Section 3.7 has the reason for each word.
 */
static inline void ata_identify(u8 *id, const struct ata_identity *me)
{
	memset(id, 0, AOE_SECTOR);
	ata_put_word(id, 0, 0x0040);
	ata_put_word(id, 2, 0xc837);
	ata_put_string(id, 10, me->serial, ATA_SERIAL_LEN);
	ata_put_string(id, 23, me->firmware, ATA_FIRMWARE_LEN);
	ata_put_string(id, 27, me->model, ATA_MODEL_LEN);
	ata_put_word(id, 47, 0x8000);
	ata_put_word(id, 48, 0x4000);
	ata_put_word(id, 49, 0x2f00);
	ata_put_word(id, 50, 0x4000);
	ata_put_word(id, 53, 0x0007);
	ata_put_word(id, 63, 0x0007);
	ata_put_word(id, 64, 0x0003);
	ata_put_word(id, 65, 120);
	ata_put_word(id, 66, 120);
	ata_put_word(id, 67, 120);
	ata_put_word(id, 68, 120);
	ata_put_word(id, 80, 0x03f0);
	ata_put_word(id, 88, 0x407f);
	ata_put_word(id, 93, 0x400b);
	ata_identify_geometry(id, me->capacity);
	ata_identify_features(id, me);
	ata_identify_media(id, me);
	id[AOE_SECTOR - 2] = 0xa5;
	id[AOE_SECTOR - 1] = ata_checksum(id);
}

#endif /* AOETGT_ATA_H */
