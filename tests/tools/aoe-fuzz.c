// SPDX-License-Identifier: GPL-2.0
/*
 * Mutated AoE frames on the wire, many of them, and a close look at every
 * answer.
 *
 * The export's disk holds a pattern that differs in every sector.  All that a
 * frame could make the target store can be recognised: sectors are computed
 * from a number that they contain, config strings are capital letters,
 * addresses begin with 02:f2.  So any other byte in an answer, or on the disk
 * in the end, comes from memory or from the wrong place.
 *
 * One seed, one run: the same frames in the same order.  With -g, what the
 * module's counters of executed code say comes in as well.
 */
#include <ctype.h>
#include <fcntl.h>
#include <getopt.h>

#include "aoe-wire.h"

#define BATCH		32
#define LOCKED_OUT	512		/* frames until the lists are emptied by hand */
#define SECTOR		512
#define MAX_LEN		(14 + 9000)
#define TAGS		(1 << 18)	/* frames that answers can still come for */
#define PATIENCE_US	300000

enum family {
	READ, WRITE, VERIFY, FLUSH, TRIM, IDENTIFY, FEATURES, POWER, UNKNOWN,
	CONFIG, MASK, RESERVE, HEADER, FAMILIES
};

static const char *const family_names[FAMILIES] = {
	"read", "write", "verify", "flush", "trim", "identify", "features", "power",
	"unknown", "config", "mask", "reserve", "header",
};

/* What has to be remembered of a frame until its answer comes. */
struct sent {
	uint32_t tag;
	uint16_t len;
	uint8_t head[40];
};

static struct sent *table;
static uint8_t *dirty;			/* sectors that a frame may have changed */
static uint64_t capacity;
static unsigned int max_sectors = 2;
static uint16_t shelf;
static uint8_t slot, own[6], server[6];
static const char *attributes;		/* configfs directory of the target */
static int fd;
static uint32_t next_tag = 0x80000000;
static unsigned long nr_sent, nr_answers, nr_data;
static bool may_trim;

/* ------------------------------------------------------------ numbers */

static uint64_t seed;

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static uint64_t rnd(void)
{
	return mix(seed += 0x9e3779b97f4a7c15ULL);
}

static unsigned int below(unsigned int n)
{
	return (unsigned int)(rnd() % n);
}

static bool percent(unsigned int n)
{
	return below(100) < n;
}

/* ------------------------------------------------------------ content */

static void put64(uint8_t *p, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 7; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

/* As tests/proto/aoe.py fills disks. */
static bool is_pattern(const uint8_t *sector, uint64_t lba)
{
	for (int i = 0; i < SECTOR; i += 16)
		if (get64(sector + i) != lba || get64(sector + i + 8) != ~lba)
			return false;
	return true;
}

static void make_scratch(uint8_t *sector, uint64_t nonce)
{
	put64(sector, nonce);
	for (int i = 1; i < SECTOR / 8; i++)
		put64(sector + 8 * i, mix(nonce + (uint64_t)i));
}

static bool is_scratch(const uint8_t *sector)
{
	uint64_t nonce = get64(sector);

	for (int i = 1; i < SECTOR / 8; i++)
		if (get64(sector + 8 * i) != mix(nonce + (uint64_t)i))
			return false;
	return true;
}

static bool all_zero(const uint8_t *p, size_t n)
{
	while (n--)
		if (*p++)
			return false;
	return true;
}

static bool sector_ok(const uint8_t *sector, uint64_t lba, uint64_t offset)
{
	if (is_pattern(sector, lba + offset))
		return true;
	if (!dirty[lba])
		return false;
	return is_scratch(sector) || (may_trim && all_zero(sector, SECTOR));
}

/* ------------------------------------------------------------ complaints */

static void dump(const char *what, const uint8_t *p, size_t len)
{
	fprintf(stderr, "%s (%zu bytes):", what, len);
	for (size_t i = 0; i < len && i < 96; i++)
		fprintf(stderr, "%s%02x", i % 16 ? " " : "\n  ", p[i]);
	fputc('\n', stderr);
}

static const struct sent *current;

static void wrong(const char *why, const uint8_t *raw, size_t len)
{
	fprintf(stderr, "after %lu frames: %s\n", nr_sent, why);
	if (current)
		dump("request", current->head,
		     current->len < sizeof(current->head) ? current->len : sizeof(current->head));
	dump("answer", raw, len);
	exit(1);
}

#define must(cond)	do { if (!(cond)) wrong(#cond, raw, len); } while (0)

/* ------------------------------------------------------------ answers */

static uint64_t offset;			/* of the export on its disk */

static uint64_t lba_of(const struct aoe_frame *f, bool ext)
{
	const uint8_t *lba = f->ata.lba;
	uint64_t low = lba[0] | lba[1] << 8 | (uint64_t)lba[2] << 16;

	if (!ext)
		return low | (uint64_t)(lba[3] & 0x0f) << 24;
	return low | (uint64_t)lba[3] << 24 | (uint64_t)lba[4] << 32 | (uint64_t)lba[5] << 40;
}

static bool is_read(uint8_t op)
{
	return op == 0x20 || op == 0x21 || op == 0x24 || op == 0x25 || op == 0xc8 || op == 0xc9;
}

static bool is_write(uint8_t op)
{
	return op == 0x30 || op == 0x31 || op == 0x34 || op == 0x35 || op == 0x3d ||
	       op == 0xca || op == 0xcb;
}

static void check_padding(const uint8_t *raw, size_t len, size_t need)
{
	must(len == (need < 60 ? 60 : need));
	if (need < 60)
		must(all_zero(raw + need, 60 - need));
}

static void check_read(const struct aoe_frame *req, const uint8_t *raw, size_t len)
{
	bool ext = req->ata.cmdstat == 0x24 || req->ata.cmdstat == 0x25;
	uint64_t lba = lba_of(req, ext);
	unsigned int i, n = req->ata.count;

	must(n && n <= max_sectors && lba < capacity && lba + n <= capacity);
	must(!(req->ata.aflags & ATA_WRITE_FLAG));
	check_padding(raw, len, AOE_ATA_HDR + n * SECTOR);
	for (i = 0; i < n; i++)
		must(sector_ok(raw + AOE_ATA_HDR + i * SECTOR, lba + i, offset));
	nr_data += n;
}

static void check_identify(const uint8_t *raw, size_t len)
{
	uint8_t sum = 0;

	check_padding(raw, len, AOE_ATA_HDR + SECTOR);
	for (int i = 0; i < SECTOR; i++)
		sum = (uint8_t)(sum + raw[AOE_ATA_HDR + i]);
	must(sum == 0);
	must(raw[AOE_ATA_HDR] == 0x40 && raw[AOE_ATA_HDR + 1] == 0);
	must((get64(raw + AOE_ATA_HDR + 200) == capacity));
}

static void check_ata(const struct aoe_frame *req, const uint8_t *raw, size_t len)
{
	const struct aoe_frame *f = (const void *)raw;
	uint8_t status = f->ata.cmdstat;

	must((f->ata.aflags & ~0x53) == 0);
	must(f->ata.aflags == (req->ata.aflags & 0x53));
	must(f->ata.reserved[0] == 0 && f->ata.reserved[1] == 0);
	if (f->verfl & AOE_ERROR) {
		must(f->error == 3 || f->error == 6);
		check_padding(raw, len, AOE_ATA_HDR);
		return;
	}
	must(status == 0x40 || status == 0x41 || status == 0x61);
	if (status != 0x40) {
		must(f->ata.feature == 0x04 || f->ata.feature == 0x10 || f->ata.feature == 0x40);
		must(f->ata.count == req->ata.count);
		check_padding(raw, len, AOE_ATA_HDR);
		return;
	}
	must(f->ata.feature == 0);
	must(!memcmp(f->ata.lba, req->ata.lba, 6));
	if (is_read(req->ata.cmdstat))
		check_read(req, raw, len);
	else if (req->ata.cmdstat == OP_IDENTIFY)
		check_identify(raw, len);
	else
		check_padding(raw, len, AOE_ATA_HDR);
}

static void check_config(const struct aoe_frame *req, const uint8_t *raw, size_t len)
{
	const struct aoe_frame *f = (const void *)raw;
	size_t n = ntohs(f->cfg.len);

	must(f->error == 0 || f->error == 2 || f->error == 4);
	must(f->cfg.ccmd == (0x10 | (req->cfg.ccmd & 0x0f)));
	must(n <= 1024 && f->cfg.sectors == max_sectors);
	check_padding(raw, len, AOE_CFG_HDR + n);
	while (n--)
		must(isupper(raw[AOE_CFG_HDR + n]));
}

static void check_mac(const uint8_t *mac, const uint8_t *raw, size_t len)
{
	must((mac[0] == 0x02 && mac[1] == 0xf2) || !memcmp(mac, own, 6));
}

static void check_mask(const struct aoe_frame *req, const uint8_t *raw, size_t len)
{
	const uint8_t *want = (const uint8_t *)req, *arg = raw + AOE_HDR;
	unsigned int i, n = arg[3];

	must(arg[0] == 0 && arg[1] == want[AOE_HDR + 1] && arg[2] <= 3);
	must(((const struct aoe_frame *)raw)->error == 0 ||
	     ((const struct aoe_frame *)raw)->error == 2);
	if (arg[2] || raw[14] & AOE_ERROR) {
		must(!arg[2] || n <= want[AOE_HDR + 3]);
		check_padding(raw, len, 28);
		return;
	}
	must(n <= 185);
	check_padding(raw, len, 28 + 8 * n);
	for (i = 0; i < n; i++) {
		must(raw[28 + 8 * i] == 0 && raw[29 + 8 * i] == 0);
		check_mac(raw + 30 + 8 * i, raw, len);
	}
}

static void check_reserve(const struct aoe_frame *req, const uint8_t *raw, size_t len)
{
	unsigned int i, n = raw[AOE_HDR + 1];
	uint8_t error = ((const struct aoe_frame *)raw)->error;

	must(raw[AOE_HDR] == ((const uint8_t *)req)[AOE_HDR]);
	must(error == 0 || error == 2 || error == 6);
	must(n <= 224);
	check_padding(raw, len, 26 + 6 * n);
	for (i = 0; i < n; i++)
		check_mac(raw + 26 + 6 * i, raw, len);
}

static void check_answer(const uint8_t *raw, size_t len)
{
	const struct aoe_frame *f = (const void *)raw, *req;
	uint32_t tag;

	current = NULL;
	must(len >= 60);
	tag = ntohl(f->tag);
	/* Advertisements follow changes of lists and limits. */
	if (!tag)
		return;
	current = &table[tag % TAGS];
	must(current->tag == tag);
	req = (const void *)current->head;
	must(f->verfl == 0x18 || f->verfl == 0x1c);
	must(!!(f->verfl & AOE_ERROR) == !!f->error && f->error <= 6);
	must(ntohs(f->shelf) == shelf && f->slot == slot);
	must(ntohs(req->shelf) == shelf || req->shelf == 0xffff);
	must(req->slot == slot || req->slot == 0xff);
	must(f->command == req->command);
	must(!memcmp(f->dst, req->src, 6) && !memcmp(f->src, server, 6));
	must(!(req->verfl & AOE_RESPONSE));
	nr_answers++;
	if (f->error == 1 || f->error == 5) {
		must(f->error == 5 ? req->verfl >> 4 != 1 : req->command > 3);
		check_padding(raw, len, AOE_HDR);
		return;
	}
	must(req->verfl >> 4 == 1 && req->command <= 3);
	switch (req->command) {
	case 0:
		must(current->len >= 36);
		return check_ata(req, raw, len);
	case 1:
		must(current->len >= 32);
		return check_config(req, raw, len);
	case 2:
		must(current->len >= 28);
		return check_mask(req, raw, len);
	case 3:
		must(current->len >= 26);
		return check_reserve(req, raw, len);
	}
}

/* Take in all that is there. */
static bool drain(uint32_t wanted)
{
	static uint8_t raw[AOE_FRAME_MAX];
	bool seen = false;
	ssize_t n;

	while ((n = recv(fd, raw, sizeof(raw), 0)) >= 0) {
		check_answer(raw, (size_t)n);
		seen |= ntohl(((struct aoe_frame *)raw)->tag) == wanted;
	}
	return seen;
}

static bool wait_for(uint32_t tag, int64_t patience)
{
	uint64_t end = now_us() + (uint64_t)patience;

	while (!drain(tag)) {
		int64_t left = (int64_t)(end - now_us());

		if (left <= 0)
			return false;
		aoe_wait(fd, left);
	}
	return true;
}

/* ------------------------------------------------------------ requests */

/* A request under construction: valid first, then mutated. */
struct build {
	size_t len;
	bool ranges;			/* the payload lists ranges to TRIM */
	union {
		struct aoe_frame f;
		uint8_t bytes[MAX_LEN + 64];
	};
};

static void start(struct build *b, uint8_t command, size_t len)
{
	memset(b->bytes, 0, len);
	b->ranges = false;
	aoe_header(&b->f, server, own, shelf, slot, command, 0);
	b->len = len;
}

static uint64_t some_lba(void)
{
	switch (below(8)) {
	case 0:
		return capacity - below(20);
	case 1:
		return capacity + below(20);
	case 2:
		return (1ULL << (16 + below(32))) - below(4);
	case 3:
		return rnd() >> 16;
	default:
		return rnd() % capacity;
	}
}

static uint8_t some_count(void)
{
	static const uint8_t edges[] = { 0, 1, 2, 3, 16, 17, 18, 127, 128, 255 };

	return percent(60) ? (uint8_t)(1 + below(max_sectors)) : edges[below(sizeof(edges))];
}

static void add_sectors(struct build *b, unsigned int n)
{
	while (n-- && b->len + SECTOR <= MAX_LEN) {
		make_scratch(b->bytes + b->len, rnd());
		b->len += SECTOR;
	}
}

/* 64 ranges, most of them short and inside. */
static void add_ranges(struct build *b, unsigned int n)
{
	unsigned int i;

	b->ranges = true;
	for (; n-- && b->len + SECTOR <= MAX_LEN; b->len += SECTOR) {
		memset(b->bytes + b->len, 0, SECTOR);
		for (i = 0; i < 64 && percent(70); i++) {
			uint64_t first = percent(98) ? rnd() % capacity : some_lba();
			uint64_t count = percent(98) ? below(9) : below(65536);

			put64(b->bytes + b->len + 8 * i, (first & 0xffffffffffffULL) | count << 48);
		}
	}
}

static uint8_t one_of(const uint8_t *set, size_t n)
{
	return set[below((unsigned int)n)];
}

#define ONE_OF(...) one_of((const uint8_t []){ __VA_ARGS__ }, \
			   sizeof((const uint8_t []){ __VA_ARGS__ }))

static uint8_t opcode_of(enum family family)
{
	switch (family) {
	case READ:
		return ONE_OF(0x20, 0x21, 0x24, 0x25, 0xc8, 0xc9);
	case WRITE:
		return ONE_OF(0x30, 0x31, 0x34, 0x35, 0x3d, 0xca, 0xcb);
	case VERIFY:
		return ONE_OF(0x40, 0x41, 0x42);
	case FLUSH:
		return ONE_OF(0xe7, 0xea);
	case TRIM:
		return 0x06;
	case IDENTIFY:
		return ONE_OF(0xec, 0xec, 0xec, 0xa1);
	case FEATURES:
		return 0xef;
	case POWER:
		return ONE_OF(0xe0, 0xe1, 0xe2, 0xe3, 0xe5, 0xe6, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99);
	default:
		return (uint8_t)rnd();
	}
}

static void build_ata(struct build *b, enum family family)
{
	uint8_t op = opcode_of(family), flags = percent(80) ? ATA_EXT_FLAG : 0;
	unsigned int count = some_count();
	bool out = is_write(op) || op == OP_TRIM;

	start(b, AOE_ATA, AOE_ATA_HDR);
	if (percent(90) ? out : percent(50))
		flags |= ATA_WRITE_FLAG;
	aoe_set_ata(&b->f, op, flags, some_lba(), count);
	if (op == OP_TRIM)
		b->f.ata.feature = 1;
	else if (family == FEATURES)
		b->f.ata.feature = percent(70) ? ONE_OF(0x02, 0x82, 0x03, 0xaa, 0x55, 0x66, 0xcc) :
						 (uint8_t)rnd();
	if (family == TRIM)
		add_ranges(b, percent(90) ? count : below(4));
	else if (out || percent(10))
		add_sectors(b, percent(90) ? count : below(20));
}

static void build_config(struct build *b)
{
	unsigned int i, n = percent(80) ? below(20) : below(1100);

	start(b, AOE_CONFIG, AOE_CFG_HDR + n);
	b->f.cfg.ccmd = percent(90) ? (uint8_t)below(5) : (uint8_t)rnd();
	b->f.cfg.len = htons((uint16_t)(percent(85) ? n : percent(50) ? below(2048) : rnd()));
	for (i = 0; i < n; i++)
		b->f.cfg.string[i] = (uint8_t)('A' + below(3));
}

static void some_mac(uint8_t *mac)
{
	static const uint8_t ours[2] = { 0x02, 0xf2 };

	if (percent(10)) {
		memcpy(mac, own, 6);
		return;
	}
	memcpy(mac, ours, 2);
	mac[2] = mac[3] = 0;
	mac[4] = (uint8_t)below(2);
	mac[5] = (uint8_t)rnd();
}

static void build_mask(struct build *b)
{
	unsigned int i, n = percent(80) ? below(6) : below(256);
	uint8_t *arg = b->bytes + AOE_HDR;

	start(b, 2, 28 + 8 * n);
	arg[1] = percent(95) ? (uint8_t)below(2) : (uint8_t)rnd();
	arg[3] = percent(90) ? (uint8_t)n : (uint8_t)rnd();
	for (i = 0; i < n; i++) {
		arg[4 + 8 * i + 1] = percent(97) ? (uint8_t)(1 + below(2)) : (uint8_t)rnd();
		some_mac(arg + 4 + 8 * i + 2);
	}
	/* who does not list itself is not heard any more */
	if (n && percent(90)) {
		arg[5] = 1;
		memcpy(arg + 6, own, 6);
	}
}

static void build_reserve(struct build *b)
{
	unsigned int i, n = percent(80) ? below(6) : below(256);
	uint8_t *arg = b->bytes + AOE_HDR;

	start(b, 3, 26 + 6 * n);
	arg[0] = percent(95) ? (uint8_t)below(3) : (uint8_t)rnd();
	arg[1] = percent(90) ? (uint8_t)n : (uint8_t)rnd();
	for (i = 0; i < n; i++)
		some_mac(arg + 2 + 6 * i);
}

static void build(struct build *b, enum family family)
{
	switch (family) {
	case CONFIG:
		return build_config(b);
	case MASK:
		return build_mask(b);
	case RESERVE:
		return build_reserve(b);
	case HEADER:
		return build(b, (enum family)below(HEADER));
	default:
		return build_ata(b, family);
	}
}

/* ------------------------------------------------------------ mutations */

static void mutate_byte(uint8_t *byte)
{
	switch (below(3)) {
	case 0:
		*byte ^= (uint8_t)(1U << below(8));
		break;
	case 1:
		*byte = ONE_OF(0, 1, 2, 0x7f, 0x80, 0xfe, 0xff);
		break;
	default:
		*byte = (uint8_t)rnd();
	}
}

/* Anything in the headers; what could be stored stays recognisable. */
static void mutate_argument(struct build *b)
{
	static const uint8_t fixed[4] = { 12, 8, 4, 2 };
	unsigned int n = b->f.command < 4 ? fixed[b->f.command] : 12;
	uint8_t *byte = b->bytes + AOE_HDR + below(n);

	if (byte < b->bytes + b->len)
		mutate_byte(byte);
}

static void mutate_header(struct build *b)
{
	switch (below(7)) {
	case 0:
		mutate_byte(&b->f.verfl);
		break;
	case 1:
		mutate_byte(&b->f.error);
		break;
	case 2:
		b->f.shelf = percent(80) ? 0xffff : (uint16_t)rnd();
		break;
	case 3:
		b->f.slot = percent(80) ? 0xff : (uint8_t)rnd();
		break;
	case 4:
		/* only to a command for which these bytes are no content */
		b->f.command = (uint8_t)(4 + below(252));
		break;
	case 5:
		memcpy(b->f.dst, aoe_broadcast, 6);
		if (percent(30))
			mutate_byte(&b->f.dst[below(6)]);
		break;
	default:
		mutate_byte(&b->f.src[below(6)]);
	}
}

static void mutate_length(struct build *b)
{
	if (percent(50)) {
		b->len = 14 + below((unsigned int)b->len - 13);
	} else if (b->f.command == AOE_ATA && !b->ranges &&
		   (b->len - AOE_ATA_HDR) % SECTOR == 0) {
		add_sectors(b, 1 + below(3));
		b->len -= below(SECTOR);
	}
}

static void mutate(struct build *b, enum family family)
{
	unsigned int n = family == HEADER ? 1 + below(3) : below(3);

	while (n--) {
		if (percent(family == HEADER ? 70 : 10))
			mutate_header(b);
		else if (percent(80))
			mutate_argument(b);
		else
			mutate_length(b);
	}
	/* a list of ranges must not become the content of a sector */
	if (b->ranges && is_write(b->f.ata.cmdstat))
		b->f.ata.cmdstat = OP_TRIM;
}

/* ------------------------------------------------------------ coverage */

/*
 * What is executed for the first time is seen in the module's gcov counters, in
 * debugfs: KCOV would say nothing of softirq and kernel threads unless the module
 * told it whose work they do.  The frames that were sent meanwhile are kept, and
 * half of what is sent is a kept frame, mutated further.
 */
#define COUNT_WORDS	8192
#define MAX_GAP		8		/* batches between two looks */
#define RECENT		(MAX_GAP * BATCH)
#define KEPT		1024
#define KEPT_EACH	32		/* of the frames between two looks */

/* The files of the code that frames go through. */
static const char *const counted[] = {
	"rx", "request", "reply", "order", "cmd_ata", "cmd_cfg", "target", "view", "bdev",
};

#define COUNTED (sizeof(counted) / sizeof(*counted))

static const char *counts_dir;
static bool seen[COUNTED][COUNT_WORDS];
static unsigned int nr_recent, nr_kept, nr_batches, gap = 1;
static unsigned long nr_reached;
static struct build *recent, *kept;

/* How many words of a file are not zero for the first time? */
static unsigned int look_at(size_t which)
{
	static uint32_t words[COUNT_WORDS];
	unsigned int i, fresh = 0;
	size_t len = 0;
	char path[512];
	ssize_t n;
	int file;

	snprintf(path, sizeof(path), "%s/%s.gcda", counts_dir, counted[which]);
	file = open(path, O_RDONLY);
	if (file < 0)
		fail(path);
	while ((n = read(file, (char *)words + len, sizeof(words) - len)) > 0)
		len += (size_t)n;
	if (n < 0)
		fail(path);
	close(file);
	for (i = 0; i < len / 4; i++) {
		fresh += words[i] && !seen[which][i];
		seen[which][i] |= !!words[i];
	}
	return fresh;
}

static unsigned int look(void)
{
	unsigned int fresh = 0;
	size_t i;

	for (i = 0; i < COUNTED; i++)
		fresh += look_at(i);
	return fresh;
}

static void coverage_start(void)
{
	recent = calloc(RECENT, sizeof(*recent));
	kept = calloc(KEPT, sizeof(*kept));
	if (!recent || !kept)
		fail("calloc");
	look();
}

/* After a batch: the more often nothing new was seen, the less often it is looked for. */
static void coverage_batch(void)
{
	unsigned int i, fresh;

	if (!counts_dir || ++nr_batches < gap)
		return;
	nr_batches = 0;
	fresh = look();
	nr_reached += fresh;
	gap = fresh ? 1 : gap < MAX_GAP ? gap * 2 : MAX_GAP;
	for (i = 0; fresh && i < nr_recent && i < KEPT_EACH; i++)
		kept[nr_kept < KEPT ? nr_kept++ : below(KEPT)] = recent[below(nr_recent)];
	nr_recent = 0;
}

static void next_frame(struct build *b, enum family family)
{
	if (nr_kept && percent(50)) {
		*b = kept[below(nr_kept)];
		mutate(b, percent(50) ? HEADER : family);
	} else {
		build(b, family);
		mutate(b, family);
	}
	if (counts_dir && nr_recent < RECENT)
		recent[nr_recent++] = *b;
}

/* ------------------------------------------------------------ sending */

static void mark(uint64_t lba, uint64_t n)
{
	for (; n && lba < capacity; n--, lba++)
		dirty[lba] = 1;
}

/* Generous: a sector that is marked may still be what it was. */
static void mark_changes(const struct build *b)
{
	size_t at;

	if (b->len < AOE_ATA_HDR || b->f.command != AOE_ATA)
		return;
	if (is_write(b->f.ata.cmdstat)) {
		mark(lba_of(&b->f, false), b->f.ata.count);
		mark(lba_of(&b->f, true), b->f.ata.count);
	}
	if (b->f.ata.cmdstat == OP_TRIM)
		for (at = AOE_ATA_HDR; at + 8 <= b->len; at += 8)
			mark(get64(b->bytes + at) & 0xffffffffffffULL, get64(b->bytes + at) >> 48);
}

static uint32_t transmit(struct build *b)
{
	uint32_t tag = ++next_tag;
	struct sent *s = &table[tag % TAGS];

	b->f.tag = htonl(tag);
	mark_changes(b);
	s->tag = tag;
	s->len = (uint16_t)b->len;
	memcpy(s->head, b->bytes, sizeof(s->head));
	while (send(fd, b->bytes, b->len, 0) < 0) {
		if (errno != EAGAIN && errno != ENOBUFS)
			fail("send");
		drain(0);
	}
	nr_sent++;
	return tag;
}

/* A VLAN tag leads to nobody: an answer would have a tag that is unknown. */
static void insert_vlan(struct build *b)
{
	b->f.tag = htonl(0x7fffffff);
	memmove(b->bytes + 16, b->bytes + 12, b->len - 12);
	b->bytes[12] = 0x81;
	b->bytes[13] = 0;
	b->bytes[14] = (uint8_t)rnd();
	b->bytes[15] = (uint8_t)(1 + below(255));
	b->len += 4;
	if (send(fd, b->bytes, b->len, 0) >= 0)
		nr_sent++;
}

static void write_attribute(const char *name, const char *text)
{
	char path[512];
	int file;

	snprintf(path, sizeof(path), "%s/%s", attributes, name);
	file = open(path, O_WRONLY);
	if (file < 0 || write(file, text, strlen(text)) < 0)
		fail(path);
	close(file);
}

/*
 * A question that every target answers, behind each batch: its answer says
 * that the batch has been taken.  None comes to one who is masked out.
 */
static void catch_up(void)
{
	struct build b;
	int tries;

	for (tries = 0; tries < 20; tries++) {
		start(&b, AOE_CONFIG, AOE_CFG_HDR);
		if (wait_for(transmit(&b), tries ? PATIENCE_US : PATIENCE_US / 10))
			return;
		write_attribute("mac_mask", "\n");
	}
	fprintf(stderr, "after %lu frames: the target does not answer any more\n", nr_sent);
	exit(1);
}

static void fuzz(enum family family, unsigned long frames)
{
	static struct build b;
	unsigned long i;

	for (i = 1; i <= frames; i++) {
		next_frame(&b, family);
		if (percent(1))
			insert_vlan(&b);
		else
			transmit(&b);
		if (i % BATCH == 0) {
			catch_up();
			coverage_batch();
		}
		if (i % LOCKED_OUT == 0) {
			write_attribute("mac_mask", "\n");
			write_attribute("reserved_by", "\n");
		}
	}
	catch_up();
	write_attribute("mac_mask", "\n");
	write_attribute("reserved_by", "\n");
	catch_up();
}

/* In the end every sector is the pattern, or something that was written. */
static void scan(void)
{
	struct build b;
	unsigned int n;
	uint64_t lba;
	int tries;

	for (lba = 0; lba < capacity; lba += n) {
		n = capacity - lba < max_sectors ? (unsigned int)(capacity - lba) : max_sectors;
		for (tries = 0; tries < 20; tries++) {
			start(&b, AOE_ATA, AOE_ATA_HDR);
			aoe_set_ata(&b.f, OP_READ_EXT, ATA_EXT_FLAG, lba, n);
			if (wait_for(transmit(&b), PATIENCE_US))
				break;
		}
		if (tries == 20) {
			fprintf(stderr, "sector %llu cannot be read\n", (unsigned long long)lba);
			exit(1);
		}
	}
}

static void usage(void)
{
	fputs("usage: aoe-fuzz -i IF -t eS.L -d MAC -a CONFIGFS_DIR -c SECTORS -o OFFSET\n"
	      "                -m MAX_SECTORS [-n FRAMES] [-s SEED] [-g DIR] [-T] FAMILY...\n"
	      "-n: of each family; -g: where the module's *.gcda are, to go where nobody was;\n"
	      "-T: TRIM works, so sectors may become empty; families:", stderr);
	for (int i = 0; i < FAMILIES; i++)
		fprintf(stderr, " %s", family_names[i]);
	fputs("\n", stderr);
	exit(2);
}

static enum family parse_family(const char *name)
{
	int i;

	for (i = 0; i < FAMILIES; i++)
		if (!strcmp(name, family_names[i]))
			return (enum family)i;
	usage();
	return FAMILIES;
}

int main(int argc, char **argv)
{
	const char *ifname = NULL;
	unsigned long frames = 20000;
	uint64_t first_seed = 1, start_us;
	enum family family;
	int opt;

	while ((opt = getopt(argc, argv, "i:t:d:a:c:o:m:n:s:g:T")) != -1) {
		switch (opt) {
		case 'i': ifname = optarg; break;
		case 't':
			if (!aoe_parse_target(optarg, &shelf, &slot))
				usage();
			break;
		case 'd':
			if (!mac_parse(optarg, server))
				usage();
			break;
		case 'a': attributes = optarg; break;
		case 'c': capacity = strtoull(optarg, NULL, 0); break;
		case 'o': offset = strtoull(optarg, NULL, 0); break;
		case 'm': max_sectors = (unsigned int)atoi(optarg); break;
		case 'n': frames = strtoul(optarg, NULL, 0); break;
		case 's': first_seed = strtoull(optarg, NULL, 0); break;
		case 'g': counts_dir = optarg; break;
		case 'T': may_trim = true; break;
		default: usage();
		}
	}
	if (!ifname || !attributes || !capacity || optind == argc)
		usage();
	table = calloc(TAGS, sizeof(*table));
	dirty = calloc(capacity, 1);
	if (!table || !dirty)
		fail("calloc");
	fd = aoe_open(ifname, own);
	if (fd < 0)
		fail(ifname);
	catch_up();
	if (counts_dir)
		coverage_start();
	for (; optind < argc; optind++) {
		family = parse_family(argv[optind]);
		seed = mix(first_seed + (uint64_t)family + 1);
		nr_sent = nr_answers = nr_data = nr_reached = 0;
		start_us = now_us();
		fuzz(family, frames);
		scan();
		printf("%s: %lu frames, %lu answers, %lu sectors of data checked, %llu ms",
		       family_names[family], nr_sent, nr_answers, nr_data,
		       (unsigned long long)(now_us() - start_us) / 1000);
		if (counts_dir)
			printf("; %lu counters reached, %u frames kept", nr_reached, nr_kept);
		putchar('\n');
		fflush(stdout);
	}
	return 0;
}
