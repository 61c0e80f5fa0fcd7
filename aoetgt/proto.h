/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ATA over Ethernet on the wire: layouts, limits and pure parsers.
 *
 * Nothing here knows about skbs, bios or locks, and nothing here sleeps or
 * allocates: the same text is compiled into user space, where the unit tests
 * and the fuzzer use it.  Lengths are bytes and start behind the Ethernet
 * header unless said otherwise.  Section numbers are those of
 * Documentation/protocol.rst.
 */
#ifndef AOETGT_PROTO_H
#define AOETGT_PROTO_H

#ifdef __KERNEL__
#include <linux/build_bug.h>
#include <linux/etherdevice.h>
#include <linux/if_ether.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/types.h>
#include <asm/byteorder.h>
#else
#include "kernel_shim.h"
#endif

#define AOE_VERSION		1
#define AOE_VER_SHIFT		4
#define AOE_FLAG_RSP		0x08
#define AOE_FLAG_ERR		0x04

#define AOE_SHELF_ALL		0xffff
#define AOE_SLOT_ALL		0xff
/* The Linux initiator takes this shelf for a box with unset switches. */
#define AOE_SHELF_UNSET		4095

/* Version 1 has four commands; everything else is "unrecognized". */
enum aoe_command {
	AOE_CMD_ATA		= 0,
	AOE_CMD_CONFIG		= 1,
	AOE_CMD_MASK		= 2,
	AOE_CMD_RESERVE		= 3,
};

enum aoe_error {
	AOE_OK			= 0,
	AOE_ERR_COMMAND		= 1,	/* unrecognized command */
	AOE_ERR_ARGUMENT	= 2,	/* bad argument */
	AOE_ERR_UNAVAILABLE	= 3,	/* the disk cannot take commands now */
	AOE_ERR_CONFIG_SET	= 4,	/* another config string is set */
	AOE_ERR_VERSION		= 5,	/* unsupported version */
	AOE_ERR_RESERVED	= 6,	/* the target is reserved */
};

/* The common header, behind the Ethernet header. */
struct aoe_hdr {
	u8 verfl;			/* version << 4 | flags */
	u8 error;			/* enum aoe_error, replies only */
	__be16 shelf;
	u8 slot;
	u8 command;
	__be32 tag;			/* the initiator's, opaque */
} __packed;
static_assert(sizeof(struct aoe_hdr) == 10);

/* Command 0, followed by data. */
struct aoe_ata {
	u8 aflags;
	u8 err_feature;			/* request: Features, reply: Error */
	u8 nsect;			/* Count */
	u8 cmd_status;			/* request: Command, reply: Status */
	u8 lba[6];			/* lba[0] is the least significant */
	u8 reserved[2];
} __packed;
static_assert(sizeof(struct aoe_ata) == 12);

#define AOE_ATA_WRITE		0x01	/* the frame carries data to write */
#define AOE_ATA_ASYNC		0x02	/* ignored: every write is answered when done */
#define AOE_ATA_DEV		0x10	/* device 1; a slot has no second device */
#define AOE_ATA_EXT		0x40	/* 48-bit registers */
#define AOE_ATA_FLAGS		(AOE_ATA_WRITE | AOE_ATA_ASYNC | AOE_ATA_DEV | AOE_ATA_EXT)

/* Command 1, followed by the config string. */
struct aoe_config {
	__be16 buffer_count;
	__be16 firmware;
	u8 sectors;			/* largest sector count of one ATA message */
	u8 ver_ccmd;			/* version << 4 | enum aoe_ccmd */
	__be16 len;			/* of the string */
} __packed;
static_assert(sizeof(struct aoe_config) == 8);

enum aoe_ccmd {
	AOE_CCMD_READ		= 0,
	AOE_CCMD_TEST		= 1,
	AOE_CCMD_PREFIX		= 2,
	AOE_CCMD_SET		= 3,
	AOE_CCMD_FORCE		= 4,
};

#define AOE_CONFIG_MAX		1024	/* bytes of config string */

/* Command 2, followed by directives. */
struct aoe_mask {
	u8 reserved;
	u8 mcmd;
	u8 merror;
	u8 count;			/* directives that follow */
} __packed;
static_assert(sizeof(struct aoe_mask) == 4);

struct aoe_mask_dir {
	u8 reserved;
	u8 dcmd;
	u8 mac[ETH_ALEN];
} __packed;
static_assert(sizeof(struct aoe_mask_dir) == 8);

enum aoe_mcmd {
	AOE_MCMD_READ		= 0,
	AOE_MCMD_EDIT		= 1,
};

enum aoe_merror {
	AOE_MERR_NONE		= 0,
	AOE_MERR_UNSPEC		= 1,
	AOE_MERR_DIRECTIVE	= 2,
	AOE_MERR_FULL		= 3,
};

enum aoe_dcmd {
	AOE_DCMD_NONE		= 0,
	AOE_DCMD_ADD		= 1,
	AOE_DCMD_DELETE		= 2,
};

/* Command 3, followed by addresses. */
struct aoe_reserve {
	u8 rcmd;
	u8 count;			/* addresses that follow */
} __packed;
static_assert(sizeof(struct aoe_reserve) == 2);

enum aoe_rcmd {
	AOE_RCMD_READ		= 0,
	AOE_RCMD_SET		= 1,
	AOE_RCMD_FORCE		= 2,
};

/* Both lists fit a reply at MTU 1500 and, as text, one configfs attribute. */
#define AOE_MASK_MAX		185
#define AOE_RESERVE_MAX		224

/* Least MTU of an interface that carries exports: a full config string fits. */
#define AOE_MTU_MIN	(sizeof(struct aoe_hdr) + sizeof(struct aoe_config) + AOE_CONFIG_MAX)

#define AOE_SECTOR		512
/* One reply is one skb: 16 pages of data; also what MTU 65536 can carry. */
#define AOE_SECTORS_MAX		127

/* Requests start with this, in one buffer, once rx has looked at a frame. */
struct aoe_frame {
	struct aoe_hdr hdr;
	union {
		struct aoe_ata ata;
		struct aoe_config config;
		struct aoe_mask mask;
		struct aoe_reserve reserve;
	};
} __packed;

/**
 * aoe_arg_len() - length of the fixed argument of a command
 * @command: an enum aoe_command
 *
 * Return: bytes behind the common header, 0 for an unknown command.
 * Section 1.4.
 */
static inline size_t aoe_arg_len(u8 command)
{
	switch (command) {
	case AOE_CMD_ATA:
		return sizeof(struct aoe_ata);
	case AOE_CMD_CONFIG:
		return sizeof(struct aoe_config);
	case AOE_CMD_MASK:
		return sizeof(struct aoe_mask);
	case AOE_CMD_RESERVE:
		return sizeof(struct aoe_reserve);
	}
	return 0;
}

/**
 * aoe_is_wild() - does the address name more than one target?
 * @hdr: common header of a request
 *
 * The wildcards of shelf and slot are independent.  Section 1.11.
 */
static inline bool aoe_is_wild(const struct aoe_hdr *hdr)
{
	return hdr->shelf == cpu_to_be16(AOE_SHELF_ALL) || hdr->slot == AOE_SLOT_ALL;
}

/**
 * aoe_matches() - does the address name this target?
 * @hdr: common header of a request
 * @shelf: the target's shelf
 * @slot: the target's slot
 */
static inline bool aoe_matches(const struct aoe_hdr *hdr, u16 shelf, u8 slot)
{
	u16 want = be16_to_cpu(hdr->shelf);

	return (want == AOE_SHELF_ALL || want == shelf) &&
	       (hdr->slot == AOE_SLOT_ALL || hdr->slot == slot);
}

/* The header alone decides what becomes of a request that reached a target. */
enum aoe_verdict {
	AOE_ACCEPT,			/* go on with the command */
	AOE_REFUSE_VERSION,		/* answer error 5 */
	AOE_REFUSE_COMMAND,		/* answer error 1 */
	AOE_DROP_VERSION,		/* the same, but asked of everybody */
	AOE_DROP_COMMAND,
	AOE_DROP_SHORT,			/* the command's fixed part is not there */
};

/**
 * aoe_check() - judge the common header of a request
 * @hdr: common header; response flag and address have been looked at
 * @len: bytes of the frame behind the Ethernet header, padding included
 *
 * Return: what to do with the frame.  Section 2.1, steps 8 to 10.
 */
static inline enum aoe_verdict aoe_check(const struct aoe_hdr *hdr, size_t len)
{
	size_t arg = aoe_arg_len(hdr->command);

	if (hdr->verfl >> AOE_VER_SHIFT != AOE_VERSION)
		return aoe_is_wild(hdr) ? AOE_DROP_VERSION : AOE_REFUSE_VERSION;
	if (!arg)
		return aoe_is_wild(hdr) ? AOE_DROP_COMMAND : AOE_REFUSE_COMMAND;
	if (len < sizeof(*hdr) + arg)
		return AOE_DROP_SHORT;
	return AOE_ACCEPT;
}

/**
 * aoe_sectors() - largest sector count of one ATA message
 * @mtu: MTU of the interface in bytes
 * @ceiling: administrator's limit, 0 for none
 *
 * Return: 1 to AOE_SECTORS_MAX.  The form with 36 is what initiators compute
 * too (section 1.9).
 */
static inline u8 aoe_sectors(unsigned int mtu, unsigned int ceiling)
{
	unsigned int n = mtu > 36 ? (mtu - 36) / AOE_SECTOR : 0;

	if (ceiling)
		n = min(n, ceiling);
	return clamp(n, 1U, (unsigned int)AOE_SECTORS_MAX);
}

/* What becomes of a config query, section 2.4. */
enum aoe_config_verdict {
	AOE_CONFIG_REPLY,		/* answer with the current string */
	AOE_CONFIG_STORE,		/* store the argument, then answer */
	AOE_CONFIG_SILENT,		/* no match: say nothing */
	AOE_CONFIG_BAD,			/* error 2 */
	AOE_CONFIG_IN_USE,		/* error 4 */
};

/**
 * aoe_config_check() - judge a config query
 * @cfg: fixed part of the request
 * @arg: the string that came with it, may be NULL if @present is 0
 * @present: bytes behind the fixed part, padding included
 * @cur: the target's string
 * @cur_len: its length
 *
 * Context: any; the caller keeps @cur stable from here until it has stored.
 */
static inline enum aoe_config_verdict
aoe_config_check(const struct aoe_config *cfg, const void *arg, size_t present,
		 const void *cur, size_t cur_len)
{
	size_t len = be16_to_cpu(cfg->len);
	bool bad = len > AOE_CONFIG_MAX || len > present;
	bool same;

	switch (cfg->ver_ccmd & 0x0f) {
	case AOE_CCMD_READ:
		return AOE_CONFIG_REPLY;
	case AOE_CCMD_TEST:
		same = !bad && len == cur_len && !memcmp(arg, cur, len);
		return same ? AOE_CONFIG_REPLY : AOE_CONFIG_SILENT;
	case AOE_CCMD_PREFIX:
		same = !bad && len <= cur_len && !memcmp(arg, cur, len);
		return same ? AOE_CONFIG_REPLY : AOE_CONFIG_SILENT;
	case AOE_CCMD_SET:
		if (bad)
			return AOE_CONFIG_BAD;
		if (!cur_len)
			return AOE_CONFIG_STORE;
		same = len == cur_len && !memcmp(arg, cur, len);
		return same ? AOE_CONFIG_REPLY : AOE_CONFIG_IN_USE;
	case AOE_CCMD_FORCE:
		return bad ? AOE_CONFIG_BAD : AOE_CONFIG_STORE;
	}
	return AOE_CONFIG_BAD;
}

/* A mask or reservation list: a plain array, replaced as a whole. */
struct aoe_maclist {
	unsigned int n;
	u8 mac[AOE_RESERVE_MAX][ETH_ALEN];
};

static_assert(AOE_RESERVE_MAX >= AOE_MASK_MAX);

/**
 * aoe_maclist_find() - place of an address in a list
 * @list: the list
 * @mac: the address
 *
 * Return: its index, or -1.
 */
static inline int aoe_maclist_find(const struct aoe_maclist *list, const u8 *mac)
{
	unsigned int i;

	for (i = 0; i < list->n; i++)
		if (!memcmp(list->mac[i], mac, ETH_ALEN))
			return i;
	return -1;
}

/**
 * aoe_maclist_add() - add an address unless it is there already
 * @list: the list
 * @max: most entries that this list may have
 * @mac: the address
 *
 * Return: false when the list is full.
 */
static inline bool aoe_maclist_add(struct aoe_maclist *list, unsigned int max, const u8 *mac)
{
	if (aoe_maclist_find(list, mac) >= 0)
		return true;
	if (list->n >= max)
		return false;
	memcpy(list->mac[list->n++], mac, ETH_ALEN);
	return true;
}

/**
 * aoe_maclist_del() - take an address out; absent is fine
 * @list: the list
 * @mac: the address
 */
static inline void aoe_maclist_del(struct aoe_maclist *list, const u8 *mac)
{
	int i = aoe_maclist_find(list, mac);

	if (i < 0)
		return;
	list->n--;
	memmove(list->mac[i], list->mac[i + 1], (list->n - i) * ETH_ALEN);
}

/**
 * aoe_mask_apply() - carry out one directive of a mask edit
 * @list: the list to change
 * @dir: the directive
 *
 * Return: why it failed, AOE_MERR_NONE if it did not.  Section 2.5.
 */
static inline enum aoe_merror aoe_mask_apply(struct aoe_maclist *list,
					     const struct aoe_mask_dir *dir)
{
	switch (dir->dcmd) {
	case AOE_DCMD_NONE:
		return AOE_MERR_NONE;
	case AOE_DCMD_ADD:
		if (!is_valid_ether_addr(dir->mac))
			return AOE_MERR_UNSPEC;
		if (!aoe_maclist_add(list, AOE_MASK_MAX, dir->mac))
			return AOE_MERR_FULL;
		return AOE_MERR_NONE;
	case AOE_DCMD_DELETE:
		aoe_maclist_del(list, dir->mac);
		return AOE_MERR_NONE;
	}
	return AOE_MERR_DIRECTIVE;
}

/**
 * aoe_mask_edit() - carry out the directives of a mask edit in order
 * @list: the list to change; directives before a failing one stay applied
 * @dirs: the directives
 * @count: how many
 * @done: set to the number carried out
 *
 * Return: why the first failing one failed.  Section 2.5.
 */
static inline enum aoe_merror aoe_mask_edit(struct aoe_maclist *list,
					    const struct aoe_mask_dir *dirs,
					    unsigned int count, unsigned int *done)
{
	enum aoe_merror err = AOE_MERR_NONE;

	for (*done = 0; *done < count; ++*done) {
		err = aoe_mask_apply(list, &dirs[*done]);
		if (err)
			break;
	}
	return err;
}

/**
 * aoe_reserve_parse() - the address list of a reserve command
 * @list: filled with the addresses, duplicates collapsed
 * @macs: @count addresses
 * @count: how many came, at most AOE_RESERVE_MAX
 */
static inline void aoe_reserve_parse(struct aoe_maclist *list, const u8 (*macs)[ETH_ALEN],
				     unsigned int count)
{
	unsigned int i;

	list->n = 0;
	for (i = 0; i < count; i++)
		aoe_maclist_add(list, AOE_RESERVE_MAX, macs[i]);
}

#endif /* AOETGT_PROTO_H */
