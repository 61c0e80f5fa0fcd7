// SPDX-License-Identifier: GPL-2.0
/*
 * One AoE command by hand, from a packet socket: what the Linux initiator
 * never sends (flush, FUA, verify, discovery that counts every answer) and
 * what it hides (the exact error).
 *
 * Exit status: 0 success, 1 usage or system, 2 no answer, 3 AoE error
 * ("aoe-error N"), 4 ATA error ("ata-error STATUS ERROR").
 */
#include <getopt.h>

#include "aoe-wire.h"

static const char *ifname;
static uint16_t shelf = 0xffff;
static uint8_t slot = 0xff;
static uint8_t dst[6], own[6];
static int64_t timeout_us = 1000000;
static int tries = 1;
static uint8_t write_op = OP_WRITE_EXT;

static union {
	struct aoe_frame f;
	uint8_t bytes[AOE_FRAME_MAX];
} out, in;

static void usage(void)
{
	fputs("usage: aoe-raw -i IF [-t eS.L|all] [-d MAC] [-w MS] [-n TRIES] [-F] VERB\n"
	      "  identify | query | flush | verify LBA N | read LBA N >data |\n"
	      "  write LBA <data (-F: FUA) | trim LBA N [RANGES] | discover | listen\n"
	      "discover and listen print every answer until MS of silence / MS passed\n",
	      stderr);
	exit(1);
}

static bool same_target(void)
{
	return (shelf == 0xffff || ntohs(in.f.shelf) == shelf) &&
	       (slot == 0xff || in.f.slot == slot);
}

/* Send; wait for the reply with our tag. Length of the reply, -1 for none. */
static ssize_t exchange(int fd, size_t len)
{
	uint64_t end;
	ssize_t n;

	while (tries-- > 0) {
		if (send(fd, out.bytes, len, 0) < 0)
			fail("send");
		end = now_us() + (uint64_t)timeout_us;
		while (now_us() < end) {
			if (!aoe_wait(fd, (int64_t)(end - now_us())))
				break;
			n = recv(fd, in.bytes, sizeof(in.bytes), 0);
			if (n >= AOE_HDR && in.f.tag == out.f.tag && same_target() &&
			    in.f.command == out.f.command)
				return n;
		}
	}
	return -1;
}

static void judge(ssize_t len)
{
	if (len < 0) {
		puts("no-answer");
		exit(2);
	}
	if (in.f.verfl & AOE_ERROR) {
		printf("aoe-error %u\n", in.f.error);
		exit(3);
	}
	if (in.f.command == AOE_ATA && (in.f.ata.cmdstat & 0xa9)) {
		printf("ata-error 0x%02x 0x%02x\n", in.f.ata.cmdstat, in.f.ata.feature);
		exit(4);
	}
}

static void ata(int fd, uint8_t op, uint8_t flags, uint64_t lba,
		unsigned int count, size_t payload)
{
	aoe_header(&out.f, dst, own, shelf, slot, AOE_ATA,
		   0x80000000u | (uint32_t)getpid());
	aoe_set_ata(&out.f, op, flags, lba, count);
	judge(exchange(fd, AOE_ATA_HDR + payload));
}

static unsigned int word(int n)
{
	return in.f.ata.data[2 * n] | (unsigned int)in.f.ata.data[2 * n + 1] << 8;
}

static void print_string(const char *name, int first, int last)
{
	char text[64];
	int n = 0, i;

	for (i = first; i <= last; i++) {
		text[n++] = (char)in.f.ata.data[2 * i + 1];
		text[n++] = (char)in.f.ata.data[2 * i];
	}
	while (n && text[n - 1] == ' ')
		n--;
	printf(" %s=%.*s", name, n, text);
}

static void identify(int fd)
{
	unsigned long long sectors;
	unsigned int sum = 0;
	int i;

	ata(fd, OP_IDENTIFY, 0, 0, 1, 0);
	for (i = 0; i < 512; i++)
		sum += in.f.ata.data[i];
	sectors = word(100) | (unsigned long long)word(101) << 16 |
		  (unsigned long long)word(102) << 32;
	printf("sectors=%llu cache=%d fua=%d trim=%u sum=%u", sectors,
	       !!(word(85) & 0x20), !!(word(84) & 0x40), word(169) & 1, sum & 255);
	print_string("serial", 10, 19);
	print_string("firmware", 23, 26);
	print_string("model", 27, 46);
	putchar('\n');
}

static void print_config(ssize_t n)
{
	unsigned int len = ntohs(in.f.cfg.len);

	printf("e%u.%u %s buffers=%u sectors=%u firmware=%04x string=",
	       ntohs(in.f.shelf), in.f.slot, mac_text(in.f.src),
	       ntohs(in.f.cfg.buffers), in.f.cfg.sectors, ntohs(in.f.cfg.firmware));
	if (AOE_CFG_HDR + (ssize_t)len <= n)
		fwrite(in.f.cfg.string, 1, len, stdout);
	putchar('\n');
}

static void make_query(void)
{
	aoe_header(&out.f, dst, own, shelf, slot, AOE_CONFIG,
		   0x80000000u | (uint32_t)getpid());
	memset(&out.f.cfg, 0, sizeof(out.f.cfg));
}

static void query(int fd)
{
	ssize_t n;

	make_query();
	n = exchange(fd, AOE_CFG_HDR);
	judge(n);
	print_config(n);
}

/* Every answer to one question; or, without one, every advertisement. */
static void collect(int fd, bool ask)
{
	uint64_t end = now_us() + (uint64_t)timeout_us;
	uint32_t tag = 0;
	ssize_t n;

	setvbuf(stdout, NULL, ask ? _IOFBF : _IOLBF, 0);
	if (ask) {
		make_query();
		tag = out.f.tag;
		if (send(fd, out.bytes, AOE_CFG_HDR, 0) < 0)
			fail("send");
	} else {
		fputs("listening\n", stderr);
	}
	while (now_us() < end) {
		if (!aoe_wait(fd, (int64_t)(end - now_us())))
			break;
		n = recv(fd, in.bytes, sizeof(in.bytes), 0);
		if (n < AOE_CFG_HDR || in.f.command != AOE_CONFIG ||
		    in.f.tag != tag || !same_target())
			continue;
		print_config(n);
		if (ask)
			end = now_us() + (uint64_t)timeout_us;
	}
}

static void write_data(int fd, uint64_t lba)
{
	size_t len = fread(out.f.ata.data, 1, 255 * 512, stdin);

	if (!len || len % 512)
		usage();
	ata(fd, write_op, ATA_EXT_FLAG | ATA_WRITE_FLAG, lba,
	    (unsigned int)(len / 512), len);
}

static void read_data(int fd, uint64_t lba, unsigned int count)
{
	ata(fd, OP_READ_EXT, ATA_EXT_FLAG, lba, count, 0);
	fwrite(in.f.ata.data, 512, count, stdout);
}

/* Each range begins twice its length behind the one before. */
static void trim(int fd, uint64_t lba, unsigned int count, unsigned int ranges)
{
	uint64_t entry;
	unsigned int i;

	if (ranges > 64)
		usage();
	memset(out.f.ata.data, 0, 512);
	for (i = 0; i < ranges; i++) {
		entry = (lba + 2 * (uint64_t)i * count) | (uint64_t)count << 48;
		memcpy(out.f.ata.data + i * sizeof(entry), &entry, sizeof(entry));
	}
	aoe_header(&out.f, dst, own, shelf, slot, AOE_ATA,
		   0x80000000u | (uint32_t)getpid());
	aoe_set_ata(&out.f, OP_TRIM, ATA_EXT_FLAG | ATA_WRITE_FLAG, 0, 1);
	out.f.ata.feature = 1;
	judge(exchange(fd, AOE_ATA_HDR + 512));
}

static void run(int fd, int argc, char **argv)
{
	const char *verb = argv[0];
	uint64_t lba = argc > 1 ? strtoull(argv[1], NULL, 0) : 0;
	unsigned int count = argc > 2 ? (unsigned int)atoi(argv[2]) : 1;

	if (!strcmp(verb, "identify"))
		identify(fd);
	else if (!strcmp(verb, "query"))
		query(fd);
	else if (!strcmp(verb, "flush"))
		ata(fd, OP_FLUSH_EXT, ATA_EXT_FLAG, 0, 0, 0);
	else if (!strcmp(verb, "verify"))
		ata(fd, OP_VERIFY_EXT, ATA_EXT_FLAG, lba, count, 0);
	else if (!strcmp(verb, "read"))
		read_data(fd, lba, count);
	else if (!strcmp(verb, "write"))
		write_data(fd, lba);
	else if (!strcmp(verb, "trim"))
		trim(fd, lba, count, argc > 3 ? (unsigned int)atoi(argv[3]) : 1);
	else if (!strcmp(verb, "discover"))
		collect(fd, true);
	else if (!strcmp(verb, "listen"))
		collect(fd, false);
	else
		usage();
}

int main(int argc, char **argv)
{
	int opt, fd;

	memcpy(dst, aoe_broadcast, 6);
	while ((opt = getopt(argc, argv, "i:t:d:w:n:F")) != -1) {
		if (opt == 'i')
			ifname = optarg;
		else if (opt == 't' && !aoe_parse_target(optarg, &shelf, &slot))
			usage();
		else if (opt == 'd' && !mac_parse(optarg, dst))
			usage();
		else if (opt == 'w')
			timeout_us = atoi(optarg) * 1000ll;
		else if (opt == 'n')
			tries = atoi(optarg);
		else if (opt == 'F')
			write_op = OP_WRITE_FUA;
		else if (opt == '?')
			usage();
	}
	if (!ifname || optind >= argc)
		usage();
	fd = aoe_open(ifname, own);
	if (fd < 0)
		fail(ifname);
	run(fd, argc - optind, argv + optind);
	return fflush(stdout) ? 1 : 0;
}
