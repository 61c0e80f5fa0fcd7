// SPDX-License-Identifier: GPL-2.0
/*
 * A client that can tell afterwards what must be on the disk.
 *
 *   aoe-stamp run -i IF -t eS.L -o TABLE [-r SECTORS] [-n WINDOW] [-R RESEND_MS]
 *             [-k RESENDS] [-f FLUSH_MS] [-c WRITES] [-T SECONDS]
 *   aoe-stamp check TABLE DEVICE acked|flushed
 *
 * Each write covers one or two sectors and stamps them with their address and
 * a number that only grows. No sector ever has two different writes of ours
 * under way, but an unanswered write is sent again, as the Linux initiator
 * does, and the first answer to any copy counts: copies may be anywhere when
 * the next write to the sector is sent. "check" then knows for each sector
 * the last acknowledged number (and the last that a flush acknowledged), and
 * that anything older on the disk is lost or has been overwritten by a ghost.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>

#include "aoe-wire.h"

#define MAX_WINDOW	1024
#define STAMP_MAGIC	0x616f653a7374616dull
#define TABLE_MAGIC	0x616f653a7461626cull

struct stamp {
	uint64_t magic;
	uint64_t lba;
	uint32_t number;
	uint32_t fill[123];
};

struct sector {
	uint32_t issued;
	uint32_t acked;
	uint32_t flushed;
	uint32_t busy;
};

struct table {
	uint64_t magic;
	uint64_t count;
};

struct op {
	uint64_t sent;
	uint32_t generation;
	uint32_t number;
	uint32_t first;
	uint32_t len;
	int resends;
	bool active;
};

static struct sector *sectors;
static uint32_t *snapshot;
static struct op ops[MAX_WINDOW];
static uint32_t nsectors = 4096, number;
static int window = 16, max_resends = 1000000;
static uint64_t resend_us = 500000, flush_us, run_us, write_limit;
static const char *ifname, *table_name;
static uint16_t shelf;
static uint8_t slot, own[6], mac[6];
static volatile sig_atomic_t stop;

static uint64_t written, resent, acked, flushes, errors, flush_sent;
static uint32_t flush_generation;
static bool flush_active;

static union {
	struct aoe_frame f;
	uint8_t bytes[AOE_FRAME_MAX];
} out, in;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static void usage(void)
{
	fputs("usage: aoe-stamp run -i IF -t eS.L -o TABLE [-r SECTORS] [-n WINDOW]\n"
	      "         [-R RESEND_MS] [-k RESENDS] [-f FLUSH_MS] [-c WRITES] [-T SECONDS]\n"
	      "       aoe-stamp check TABLE DEVICE acked|flushed\n", stderr);
	exit(2);
}

static void make_stamp(struct stamp *s, uint64_t lba, uint32_t num)
{
	uint32_t x = num * 2654435761u ^ (uint32_t)lba;
	int i;

	s->magic = STAMP_MAGIC;
	s->lba = lba;
	s->number = num;
	for (i = 0; i < 123; i++) {
		x = x * 1664525u + 1013904223u;
		s->fill[i] = x;
	}
}

/* The number on the disk; 0 for never written, ~0 for anything else. */
static uint32_t read_stamp(const struct stamp *s, uint64_t lba)
{
	static const struct stamp zero;
	struct stamp want;

	if (!memcmp(s, &zero, sizeof(zero)))
		return 0;
	make_stamp(&want, lba, s->number);
	return memcmp(s, &want, sizeof(want)) ? UINT32_MAX : s->number;
}

static void send_frame(int fd, size_t len)
{
	/* a frame that does not get out is a frame lost: it is sent again */
	if (send(fd, out.bytes, len, 0) < 0)
		errors++;
}

/* The tag names slot, use of the slot and copy. */
static void send_write(int fd, int i)
{
	struct op *op = &ops[i];
	struct stamp s;
	uint32_t k;

	aoe_header(&out.f, mac, own, shelf, slot, AOE_ATA,
		   0x80000000u | (op->generation & 0x7fff) << 16 |
		   ((uint32_t)op->resends & 15) << 12 | (uint32_t)i);
	aoe_set_ata(&out.f, OP_WRITE_EXT, ATA_EXT_FLAG | ATA_WRITE_FLAG,
		    op->first, op->len);
	for (k = 0; k < op->len; k++) {
		make_stamp(&s, op->first + k, op->number);
		memcpy(out.f.ata.data + 512 * k, &s, 512);
	}
	op->sent = now_us();
	send_frame(fd, AOE_ATA_HDR + 512 * op->len);
}

static bool start_write(int fd, int i)
{
	struct op *op = &ops[i];
	uint32_t len = 1 + (uint32_t)rand() % 2;
	uint32_t first = (uint32_t)rand() % (nsectors - len + 1);
	uint32_t k;

	for (k = 0; k < len; k++)
		if (sectors[first + k].busy)
			return false;
	op->active = true;
	op->generation++;
	op->resends = 0;
	op->number = ++number;
	op->first = first;
	op->len = len;
	for (k = 0; k < len; k++) {
		sectors[first + k].busy = 1;
		sectors[first + k].issued = number;
	}
	written++;
	send_write(fd, i);
	return true;
}

static void send_flush(int fd)
{
	uint32_t k;

	if (!flush_active) {
		flush_generation++;
		for (k = 0; k < nsectors; k++)
			snapshot[k] = sectors[k].acked;
	}
	flush_active = true;
	flush_sent = now_us();
	aoe_header(&out.f, mac, own, shelf, slot, AOE_ATA,
		   0x80000000u | (flush_generation & 0x7fff) << 16 | 0xfff);
	aoe_set_ata(&out.f, OP_FLUSH_EXT, ATA_EXT_FLAG, 0, 0);
	send_frame(fd, AOE_ATA_HDR);
}

static void flush_done(void)
{
	uint32_t k;

	flush_active = false;
	flushes++;
	for (k = 0; k < nsectors; k++)
		sectors[k].flushed = snapshot[k];
}

static void write_done(struct op *op)
{
	uint32_t k;

	op->active = false;
	acked++;
	for (k = 0; k < op->len; k++) {
		sectors[op->first + k].acked = op->number;
		sectors[op->first + k].busy = 0;
	}
}

static void take_reply(ssize_t n)
{
	uint32_t tag = ntohl(in.f.tag), i = tag & 0xfff;
	uint32_t generation = tag >> 16 & 0x7fff;

	if (n < AOE_ATA_HDR || in.f.command != AOE_ATA ||
	    ntohs(in.f.shelf) != shelf || in.f.slot != slot)
		return;
	if ((in.f.verfl & AOE_ERROR) || (in.f.ata.cmdstat & 0xa9)) {
		errors++;
		return;
	}
	memcpy(mac, in.f.src, 6);
	if (i == 0xfff) {
		if (flush_active && (flush_generation & 0x7fff) == generation)
			flush_done();
	} else if (i < (uint32_t)window && ops[i].active &&
		   (ops[i].generation & 0x7fff) == generation) {
		write_done(&ops[i]);
	}
}

static bool issuing(uint64_t start)
{
	return !stop && !(run_us && now_us() - start >= run_us) &&
	       !(write_limit && written >= write_limit);
}

static bool busy(void)
{
	int i;

	for (i = 0; i < window; i++)
		if (ops[i].active)
			return true;
	return flush_active;
}

static void resend_old(int fd)
{
	uint64_t now = now_us();
	int i;

	for (i = 0; i < window; i++) {
		struct op *op = &ops[i];

		if (!op->active || now - op->sent < resend_us || op->resends >= max_resends)
			continue;
		op->resends++;
		resent++;
		/* The target may have another address by now. */
		if (op->resends > 3)
			memcpy(mac, aoe_broadcast, 6);
		send_write(fd, i);
	}
	if (flush_active && now - flush_sent >= 500000)
		send_flush(fd);
}

static void step(int fd, bool fresh)
{
	ssize_t n;
	int i;

	for (i = 0; fresh && i < window; i++)
		if (!ops[i].active)
			start_write(fd, i);
	if (fresh && flush_us && !flush_active && now_us() - flush_sent >= flush_us)
		send_flush(fd);
	resend_old(fd);
	aoe_wait(fd, 2000);
	while ((n = recv(fd, in.bytes, sizeof(in.bytes), 0)) >= 0)
		take_reply(n);
}

static void save_table(void)
{
	struct table t = { TABLE_MAGIC, nsectors };
	FILE *f = fopen(table_name, "w");

	if (!f || fwrite(&t, sizeof(t), 1, f) != 1 ||
	    fwrite(sectors, sizeof(*sectors), nsectors, f) != nsectors || fclose(f))
		fail(table_name);
}

/* Numbers go on from the last round's, or an old stamp could pass for a new one. */
static void load_table(void)
{
	struct table t;
	FILE *f = fopen(table_name, "r");
	uint32_t k;

	if (!f)
		return;
	if (fread(&t, sizeof(t), 1, f) != 1 || t.magic != TABLE_MAGIC ||
	    t.count != nsectors || fread(sectors, sizeof(*sectors), nsectors, f) != nsectors)
		fail(table_name);
	fclose(f);
	for (k = 0; k < nsectors; k++) {
		sectors[k].busy = 0;
		/* with flushes it is for cuts: what was not flushed may be gone */
		if (flush_us)
			sectors[k].acked = sectors[k].flushed;
		if (sectors[k].issued > number)
			number = sectors[k].issued;
	}
}

static int run(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };
	uint64_t start, end;
	int opt, fd;

	while ((opt = getopt(argc, argv, "i:t:o:r:n:R:k:f:c:T:")) != -1) {
		switch (opt) {
		case 'i': ifname = optarg; break;
		case 't': if (!aoe_parse_target(optarg, &shelf, &slot)) usage(); break;
		case 'o': table_name = optarg; break;
		case 'r': nsectors = (uint32_t)atoi(optarg); break;
		case 'n': window = atoi(optarg); break;
		case 'R': resend_us = strtoull(optarg, NULL, 0) * 1000; break;
		case 'k': max_resends = atoi(optarg); break;
		case 'f': flush_us = strtoull(optarg, NULL, 0) * 1000; break;
		case 'c': write_limit = strtoull(optarg, NULL, 0); break;
		case 'T': run_us = strtoull(optarg, NULL, 0) * 1000000; break;
		default: usage();
		}
	}
	if (!ifname || !table_name || nsectors < 2 || window < 1 || window > MAX_WINDOW)
		usage();
	sectors = calloc(nsectors, sizeof(*sectors));
	snapshot = calloc(nsectors, sizeof(*snapshot));
	if (!sectors || !snapshot)
		fail("calloc");
	load_table();
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	srand((unsigned int)getpid());
	memcpy(mac, aoe_broadcast, 6);
	fd = aoe_open(ifname, own);
	if (fd < 0)
		fail(ifname);
	start = flush_sent = now_us();
	while (issuing(start))
		step(fd, true);
	/* a told stop is a dead server: nothing more will come */
	for (end = now_us() + 5000000; !stop && busy() && now_us() < end;)
		step(fd, false);
	save_table();
	printf("written=%llu acked=%llu resent=%llu flushes=%llu errors=%llu\n",
	       (unsigned long long)written, (unsigned long long)acked,
	       (unsigned long long)resent, (unsigned long long)flushes,
	       (unsigned long long)errors);
	return acked ? 0 : 1;
}

static int check(const char *table, const char *device, const char *mode)
{
	uint64_t lost = 0, torn = 0, newer = 0, used = 0, behind = 0;
	bool by_flush = !strcmp(mode, "flushed");
	struct stamp *buf;
	struct table t;
	FILE *f = fopen(table, "r");
	int fd = open(device, O_RDONLY | O_DIRECT);
	uint32_t k;

	if (fd < 0)	/* a file system that cannot do without its cache */
		fd = open(device, O_RDONLY);

	if (!f || fd < 0)
		fail(f ? device : table);
	if (fread(&t, sizeof(t), 1, f) != 1 || t.magic != TABLE_MAGIC)
		usage();
	sectors = calloc(t.count, sizeof(*sectors));
	if (!sectors || posix_memalign((void **)&buf, 4096, t.count * 512) ||
	    fread(sectors, sizeof(*sectors), t.count, f) != t.count)
		fail(table);
	if (pread(fd, buf, t.count * 512, 0) != (ssize_t)(t.count * 512))
		fail(device);
	for (k = 0; k < t.count; k++) {
		uint32_t on_disk = read_stamp(&buf[k], k);
		uint32_t must = by_flush ? sectors[k].flushed : sectors[k].acked;

		used += sectors[k].issued != 0;
		if (on_disk == UINT32_MAX || on_disk > sectors[k].issued) {
			torn++;
			continue;
		}
		lost += on_disk < must;
		behind += on_disk < sectors[k].acked;
		newer += on_disk > sectors[k].acked;
		if (on_disk < must && lost <= 5)
			printf("sector %u: number %u on disk, %u was acknowledged, %u sent last\n",
			       k, on_disk, must, sectors[k].issued);
	}
	printf("sectors=%llu lost=%llu torn=%llu behind_acked=%llu unacked_present=%llu\n",
	       (unsigned long long)used, (unsigned long long)lost,
	       (unsigned long long)torn, (unsigned long long)behind,
	       (unsigned long long)newer);
	return lost || torn || !used;
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "check") &&
	    (!strcmp(argv[4], "acked") || !strcmp(argv[4], "flushed")))
		return check(argv[2], argv[3], argv[4]);
	if (argc > 2 && !strcmp(argv[1], "run"))
		return run(argc - 1, argv + 1);
	usage();
}
