// SPDX-License-Identifier: GPL-2.0
/*
 * A load generator for targets that are being pulled to pieces: a window of
 * reads and writes to one or more targets, lost replies are forgotten, a lost
 * interface is reopened when it comes back. Runs for a time, for a number of
 * replies, or until SIGTERM; prints one line of name=value.
 *
 * With -f it floods instead, with one kind of frame, as fast as they can be sent,
 * and hears no answer: "short" ends within the ATA header, "wild" is a query to all
 * targets, "error" a command that does not exist.
 */
#include <getopt.h>
#include <signal.h>

#include "aoe-wire.h"

#define MAX_TARGETS	64
#define MAX_WINDOW	2048
#define LATENCY_ROWS	65536	/* of 10 us */

struct target {
	uint16_t shelf;
	uint8_t slot;
	uint8_t mac[6];
};

struct slot {
	uint64_t sent;
	uint32_t tag;
	uint32_t generation;
	int target;
	bool busy;
};

static struct target targets[MAX_TARGETS];
static struct slot slots[MAX_WINDOW];
static int ntargets, window = 32, sectors = 2, write_percent = 50, extra_percent;
static int reopen_ms = 5;
static uint64_t lba_limit = 2048, timeout_us = 200000, run_us, reply_limit;
static const char *ifname, *flood_kind;
static uint8_t own[6];
static volatile sig_atomic_t stop;

static uint64_t sent, replied, lost, late, aoe_errors, ata_errors, reopened;
static uint64_t total_us, max_us, min_us = UINT64_MAX;
static uint32_t latency[LATENCY_ROWS];

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
	fputs("usage: aoe-load -i IF -t eS.L [-t ...] [-n WINDOW] [-s SECTORS] [-w WRITE%]\n"
	      "  [-x OTHER%] [-l LBA_LIMIT] [-o TIMEOUT_MS] [-T SECONDS] [-c REPLIES]\n"
	      "  [-f short|wild|error]\n", stderr);
	exit(1);
}

static void add_target(const char *name)
{
	struct target *t = &targets[ntargets];

	if (ntargets == MAX_TARGETS || !aoe_parse_target(name, &t->shelf, &t->slot))
		usage();
	memcpy(t->mac, aoe_broadcast, 6);
	ntargets++;
}

static void parse(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "i:t:n:s:w:x:l:o:T:c:f:")) != -1) {
		switch (opt) {
		case 'i': ifname = optarg; break;
		case 't': add_target(optarg); break;
		case 'n': window = atoi(optarg); break;
		case 's': sectors = atoi(optarg); break;
		case 'w': write_percent = atoi(optarg); break;
		case 'x': extra_percent = atoi(optarg); break;
		case 'l': lba_limit = strtoull(optarg, NULL, 0); break;
		case 'o': timeout_us = strtoull(optarg, NULL, 0) * 1000; break;
		case 'T': run_us = strtoull(optarg, NULL, 0) * 1000000; break;
		case 'f': flood_kind = optarg; break;
		case 'c': reply_limit = strtoull(optarg, NULL, 0); break;
		default: usage();
		}
	}
	if (!ifname || !ntargets || window < 1 || window > MAX_WINDOW ||
	    sectors < 1 || sectors > 127 || lba_limit < (uint64_t)sectors)
		usage();
}

/* The mix: reads and writes, and now and then something else. */
static size_t build(const struct target *t)
{
	uint64_t lba = (uint64_t)rand() % (lba_limit - (uint64_t)sectors + 1);

	if (rand() % 100 < extra_percent) {
		switch (rand() % 3) {
		case 0:
			aoe_set_ata(&out.f, OP_FLUSH_EXT, ATA_EXT_FLAG, 0, 0);
			return AOE_ATA_HDR;
		case 1:
			aoe_set_ata(&out.f, OP_IDENTIFY, 0, 0, 1);
			return AOE_ATA_HDR;
		default:
			out.f.command = AOE_CONFIG;
			memset(&out.f.cfg, 0, sizeof(out.f.cfg));
			return AOE_CFG_HDR;
		}
	}
	if (rand() % 100 >= write_percent) {
		aoe_set_ata(&out.f, OP_READ_EXT, ATA_EXT_FLAG, lba, (unsigned int)sectors);
		return AOE_ATA_HDR;
	}
	aoe_set_ata(&out.f, OP_WRITE_EXT, ATA_EXT_FLAG | ATA_WRITE_FLAG, lba,
		    (unsigned int)sectors);
	memset(out.f.ata.data, (int)(t->shelf + t->slot), (size_t)sectors * 512);
	return (size_t)AOE_ATA_HDR + (size_t)sectors * 512;
}

static bool send_one(int fd, int i)
{
	struct slot *s = &slots[i];
	struct target *t;
	size_t len;

	s->target = rand() % ntargets;
	t = &targets[s->target];
	s->generation++;
	s->tag = 0x80000000u | (s->generation & 0x7ffff) << 12 | (uint32_t)i;
	aoe_header(&out.f, t->mac, own, t->shelf, t->slot, AOE_ATA, s->tag);
	len = build(t);
	s->sent = now_us();
	s->busy = true;
	sent++;
	if (send(fd, out.bytes, len, 0) >= 0 || errno == ENOBUFS || errno == EAGAIN)
		return true;
	return false;
}

/* The socket hears the answers to everybody on this interface. */
static bool is_for_us(ssize_t n, const struct slot *s)
{
	const struct target *t = &targets[s->target];

	return n >= AOE_HDR && !memcmp(in.f.dst, own, 6) &&
	       ntohs(in.f.shelf) == t->shelf && in.f.slot == t->slot;
}

static void take_reply(ssize_t n)
{
	struct slot *s = &slots[ntohl(in.f.tag) & 0xfff];
	uint64_t us;

	if ((ntohl(in.f.tag) & 0xfff) >= (unsigned int)window || !is_for_us(n, s))
		return;
	if (!s->busy || s->tag != ntohl(in.f.tag)) {
		late++;
		return;
	}
	us = now_us() - s->sent;
	s->busy = false;
	replied++;
	total_us += us;
	latency[us / 10 < LATENCY_ROWS ? us / 10 : LATENCY_ROWS - 1]++;
	if (us > max_us)
		max_us = us;
	if (us < min_us)
		min_us = us;
	memcpy(targets[s->target].mac, in.f.src, 6);
	if (in.f.verfl & AOE_ERROR)
		aoe_errors++;
	else if (in.f.command == AOE_ATA && (in.f.ata.cmdstat & 0xa9))
		ata_errors++;
}

/* False when the socket is of no more use. */
static bool receive_all(int fd)
{
	ssize_t n;

	for (;;) {
		n = recv(fd, in.bytes, sizeof(in.bytes), 0);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		take_reply(n);
	}
}

static bool fill_window(int fd)
{
	uint64_t now = now_us();
	int i;

	for (i = 0; i < window; i++) {
		struct slot *s = &slots[i];

		if (s->busy && now - s->sent < timeout_us)
			continue;
		if (s->busy) {
			lost++;
			memcpy(targets[s->target].mac, aoe_broadcast, 6);
		}
		if (!send_one(fd, i))
			return false;
	}
	return true;
}

static bool finished(uint64_t start)
{
	return stop || (run_us && now_us() - start >= run_us) ||
	       (reply_limit && replied >= reply_limit);
}

static int reopen(int fd)
{
	struct timespec pause = { .tv_nsec = reopen_ms * 1000000L };

	if (fd >= 0) {
		close(fd);
		reopened++;
	}
	while (!stop) {
		fd = aoe_open(ifname, own);
		if (fd >= 0)
			return fd;
		nanosleep(&pause, NULL);
	}
	return -1;
}

/* What is under way at the end: wait for it, until half a second of silence. */
static void drain(int fd)
{
	uint64_t last = now_us(), seen = replied;
	bool busy = true;
	int i;

	while (busy && now_us() - last < 500000) {
		aoe_wait(fd, 10000);
		if (!receive_all(fd))
			break;
		if (replied != seen)
			last = now_us();
		seen = replied;
		busy = false;
		for (i = 0; i < window; i++)
			busy |= slots[i].busy;
	}
	for (i = 0; i < window; i++)
		lost += slots[i].busy;
}

/* The time within which 99 of 100 replies came. */
static uint64_t p99_us(void)
{
	uint64_t n = 0;
	unsigned int i;

	for (i = 0; i < LATENCY_ROWS - 1; i++) {
		n += latency[i];
		if (n * 100 >= replied * 99)
			break;
	}
	return (i + 1) * 10ULL;
}

static size_t build_flood(void)
{
	const struct target *t = &targets[0];

	aoe_header(&out.f, aoe_broadcast, own, t->shelf, t->slot, AOE_ATA, 1);
	if (!strcmp(flood_kind, "short"))
		return AOE_HDR + 4;
	if (!strcmp(flood_kind, "error")) {
		out.f.command = 0x42;
		return AOE_ATA_HDR;
	}
	if (strcmp(flood_kind, "wild"))
		usage();
	aoe_header(&out.f, aoe_broadcast, own, 0xffff, 0xff, AOE_CONFIG, 1);
	memset(&out.f.cfg, 0, sizeof(out.f.cfg));
	return AOE_CFG_HDR;
}

static void flood(int fd, uint64_t start)
{
	size_t len = build_flood();

	while (!finished(start)) {
		if (send(fd, out.bytes, len, 0) >= 0)
			sent++;
	}
}

static void load(int fd, uint64_t start)
{
	while (!finished(start) && fd >= 0) {
		if (!fill_window(fd) || (aoe_wait(fd, 20000), !receive_all(fd)))
			fd = reopen(fd);
	}
	if (fd >= 0)
		drain(fd);
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };
	uint64_t start = now_us();
	int fd;

	parse(argc, argv);
	srand((unsigned int)getpid());
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	fd = reopen(-1);
	if (flood_kind)
		flood(fd, start);
	else
		load(fd, start);
	printf("sent=%llu replied=%llu lost=%llu late=%llu aoe_errors=%llu ata_errors=%llu reopened=%llu min_us=%llu avg_us=%llu p99_us=%llu max_us=%llu seconds=%llu\n",
	       (unsigned long long)sent, (unsigned long long)replied,
	       (unsigned long long)lost, (unsigned long long)late,
	       (unsigned long long)aoe_errors, (unsigned long long)ata_errors,
	       (unsigned long long)reopened,
	       (unsigned long long)(replied ? min_us : 0),
	       (unsigned long long)(replied ? total_us / replied : 0),
	       (unsigned long long)p99_us(),
	       (unsigned long long)max_us,
	       (unsigned long long)((now_us() - start) / 1000000));
	return 0;
}
