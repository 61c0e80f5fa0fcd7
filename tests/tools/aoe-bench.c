// SPDX-License-Identifier: GPL-2.0
/*
 * A load generator for measuring: a constant window of reads and writes to one
 * target or spread over many, through memory-mapped packet rings. It costs
 * little and always the same, so that what changes from run to run is the
 * target's: requests are written into the ring as replies free their slots and
 * sent by one send() a round; between rounds it sleeps in poll() and never
 * spins, which would count as work where time is counted in instructions.
 *
 * Prints one line of name=value: the requests and nanoseconds between two
 * moments at which the window is full.
 */
#include <getopt.h>
#include <sys/mman.h>

#include "aoe-wire.h"

#define MAX_WINDOW	1024
#define MAX_PARTS	64
#define RING_BLOCK	65536u
/* Replies between two looks at the clock, for those that never came. */
#define AGE_CHECK	64

struct slot {
	uint64_t sent;
	uint64_t lba;
	uint32_t tag;
	uint32_t target;
	bool busy;
	bool write;
};

struct ring {
	uint8_t *base;
	unsigned int frame_size;
	unsigned int frames;
	unsigned int next;
};

static struct slot slots[MAX_WINDOW];
/* Slots that may be used: a stack. */
static uint16_t idle[MAX_WINDOW];
static unsigned int nidle;

static struct ring rx, tx;
static int fd;
static uint8_t own[6], peer[6];

static const char *ifname;
static uint16_t shelf;
static uint8_t first_slot;
/* Target k is e<shelf + k / per_shelf>.<first_slot + k % per_shelf>. */
static uint32_t targets = 1, per_shelf = 255;
static unsigned int window = 1, sectors = 8, write_percent;
static uint64_t span = 65536, requests = 10000, warm_up = 1000, run_ns;
static uint64_t timeout_ns = 1000000000;
static unsigned int parts = 1;
static bool sequential, have_peer, aligned;

static uint64_t issued, replied, retransmits, errors, strange, now;
static uint32_t generation;
/* Frames in the ring that the kernel has not been told of. */
static bool unsent;

static void usage(void)
{
	fputs("usage: aoe-bench -i IF -t eS.L [OPTION...]\n"
	      "  -t eS.L   the target, or the first of several\n"
	      "  -m MAC    its address (asked for by broadcast)\n"
	      "  -N COUNT  spread over so many targets (1)\n"
	      "  -p COUNT  targets to a shelf (255)\n"
	      "  -n WINDOW requests under way (1)\n"
	      "  -s COUNT  sectors in a request (8)\n"
	      "  -w PERCENT  writes (0)\n"
	      "  -q        sequential, not random\n"
	      "  -l COUNT  sectors of each target to use (65536)\n"
	      "  -a        payload of writes begins on a page\n"
	      "  -W COUNT  requests before measuring (1000)\n"
	      "  -c COUNT  requests to measure (10000)\n"
	      "  -r COUNT  in so many parts, of which the median counts (1)\n"
	      "  -T MS     measure for this time instead, and CPU time, too\n"
	      "  -o MS     ask again if there is no reply (1000)\n", stderr);
	exit(2);
}

static uint64_t number(const char *text, uint64_t min, uint64_t max)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || end == text || *end || value < min || value > max) {
		fprintf(stderr, "aoe-bench: %s: %llu to %llu\n", text,
			(unsigned long long)min, (unsigned long long)max);
		exit(2);
	}
	return value;
}

static void parse_more(int opt)
{
	switch (opt) {
	case 'w':
		write_percent = (unsigned int)number(optarg, 0, 100);
		break;
	case 'q':
		sequential = true;
		break;
	case 'l':
		span = number(optarg, 1, 1ull << 48);
		break;
	case 'a':
		aligned = true;
		break;
	case 'W':
		warm_up = number(optarg, 0, UINT64_MAX);
		break;
	case 'c':
		requests = number(optarg, 1, UINT64_MAX);
		break;
	case 'r':
		parts = (unsigned int)number(optarg, 1, MAX_PARTS);
		break;
	case 'T':
		run_ns = number(optarg, 1, 1000000000) * 1000000;
		break;
	case 'o':
		timeout_ns = number(optarg, 1, 1000000) * 1000000;
		break;
	default:
		usage();
	}
}

static void parse(int argc, char **argv)
{
	bool have_target = false;
	int opt;

	while ((opt = getopt(argc, argv, "i:t:m:N:p:n:s:w:ql:aW:c:r:T:o:")) != -1) {
		switch (opt) {
		case 'i':
			ifname = optarg;
			break;
		case 't':
			have_target = aoe_parse_target(optarg, &shelf, &first_slot);
			break;
		case 'm':
			have_peer = mac_parse(optarg, peer);
			if (!have_peer)
				usage();
			break;
		case 'N':
			targets = (uint32_t)number(optarg, 1, 1 << 24);
			break;
		case 'p':
			per_shelf = (uint32_t)number(optarg, 1, 255);
			break;
		case 'n':
			window = (unsigned int)number(optarg, 1, MAX_WINDOW);
			break;
		case 's':
			sectors = (unsigned int)number(optarg, 1, 127);
			break;
		default:
			parse_more(opt);
		}
	}
	if (!ifname || !have_target || span < sectors || optind != argc)
		usage();
}

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* What all CPUs have been busy with so far, whoever it was for. */
static uint64_t cpu_ms(void)
{
	unsigned long long user, nice, sys, idle, wait, irq, softirq;
	FILE *f = fopen("/proc/stat", "re");

	if (!f || fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &sys,
			 &idle, &wait, &irq, &softirq) != 7)
		fail("/proc/stat");
	fclose(f);
	return (user + nice + sys + irq + softirq) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

/* xorshift: cheap, and the same sequence in each run */
static uint32_t rnd(void)
{
	static uint32_t x = 2463534242u;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x;
}

/* --- rings ------------------------------------------------------------- */

static void ring_request(struct ring *ring, int option, unsigned int frame)
{
	unsigned int per_block;
	struct tpacket_req req;

	ring->frame_size = 2048;
	while (ring->frame_size < frame)
		ring->frame_size *= 2;
	/* Room for each request twice: a slow hand may still hold the last one. */
	ring->frames = 128;
	while (ring->frames < 2 * window)
		ring->frames *= 2;
	per_block = RING_BLOCK / ring->frame_size;
	memset(&req, 0, sizeof(req));
	req.tp_block_size = RING_BLOCK;
	req.tp_frame_size = ring->frame_size;
	req.tp_block_nr = (ring->frames + per_block - 1) / per_block;
	req.tp_frame_nr = req.tp_block_nr * per_block;
	ring->frames = req.tp_frame_nr;
	if (setsockopt(fd, SOL_PACKET, option, &req, sizeof(req)))
		fail(option == PACKET_RX_RING ? "PACKET_RX_RING" : "PACKET_TX_RING");
}

static void set_option(int option, int value, const char *name)
{
	if (setsockopt(fd, SOL_PACKET, option, &value, sizeof(value)))
		fail(name);
}

/* No filter: what does not belong here is sorted out by its tag. */
static void open_socket(void)
{
	struct sockaddr_ll sll = { .sll_family = AF_PACKET };
	int size = 64 << 20;
	struct ifreq ifr;

	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fail("socket");
	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
	if (ioctl(fd, SIOCGIFHWADDR, &ifr))
		fail(ifname);
	memcpy(own, ifr.ifr_hwaddr.sa_data, 6);
	if (ioctl(fd, SIOCGIFINDEX, &ifr))
		fail(ifname);
	sll.sll_ifindex = ifr.ifr_ifindex;
	sll.sll_protocol = htons(AOE_ETHERTYPE);
	/* The window in full must fit. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		fail("SO_SNDBUFFORCE");
	set_option(PACKET_VERSION, TPACKET_V2, "TPACKET_V2");
	set_option(PACKET_TX_HAS_OFF, 1, "PACKET_TX_HAS_OFF");
	set_option(PACKET_QDISC_BYPASS, 1, "PACKET_QDISC_BYPASS");
	ring_request(&rx, PACKET_RX_RING, TPACKET2_HDRLEN + 64 + AOE_ATA_HDR + sectors * 512);
	ring_request(&tx, PACKET_TX_RING, (aligned && write_percent ? 4096 : TPACKET2_HDRLEN) +
		     AOE_ATA_HDR + (write_percent ? sectors * 512 : AOE_MIN_FRAME));
	if (bind(fd, (struct sockaddr *)&sll, sizeof(sll)))
		fail("bind");
}

static void map_rings(void)
{
	size_t rx_size = (size_t)rx.frames * rx.frame_size;
	size_t size = rx_size + (size_t)tx.frames * tx.frame_size;
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);

	if (p == MAP_FAILED)
		fail("mmap");
	rx.base = p;
	tx.base = rx.base + rx_size;
}

static struct tpacket2_hdr *ring_frame(const struct ring *ring)
{
	return (struct tpacket2_hdr *)(ring->base + (size_t)ring->next * ring->frame_size);
}

static void ring_advance(struct ring *ring)
{
	if (++ring->next == ring->frames)
		ring->next = 0;
}

/* Where in its ring slot a frame begins; the offset is chosen once. */
static unsigned int frame_offset(void)
{
	if (aligned && write_percent)
		return 4096 - AOE_ATA_HDR;
	return TPACKET_ALIGN(sizeof(struct tpacket2_hdr));
}

/* What writes carry stays in the ring for good; nothing else is written. */
static void prepare_tx(void)
{
	unsigned int i;

	for (i = 0; i < tx.frames; i++) {
		uint8_t *frame = tx.base + (size_t)i * tx.frame_size;

		memset(frame + frame_offset(), 0xa5, tx.frame_size - frame_offset());
	}
}

/* --- requests ---------------------------------------------------------- */

static void choose(struct slot *s)
{
	uint64_t places = span / sectors;

	s->target = (uint32_t)(issued % targets);
	s->lba = (sequential ? issued / targets : rnd()) % places * sectors;
	s->write = write_percent == 100 || (write_percent && rnd() % 100 < write_percent);
}

/* False if the ring has no place for it now. */
static bool put_frame(struct slot *s, const uint8_t *dst)
{
	struct tpacket2_hdr *hdr = ring_frame(&tx);
	struct aoe_frame *f = (struct aoe_frame *)((uint8_t *)hdr + frame_offset());

	if (__atomic_load_n(&hdr->tp_status, __ATOMIC_ACQUIRE) != TP_STATUS_AVAILABLE)
		return false;
	aoe_header(f, dst, own, (uint16_t)(shelf + s->target / per_shelf),
		   (uint8_t)(first_slot + s->target % per_shelf), AOE_ATA, s->tag);
	if (s->write) {
		aoe_set_ata(f, OP_WRITE_EXT, ATA_EXT_FLAG | ATA_WRITE_FLAG, s->lba, sectors);
		hdr->tp_len = AOE_ATA_HDR + sectors * 512;
	} else {
		aoe_set_ata(f, OP_READ_EXT, ATA_EXT_FLAG, s->lba, sectors);
		hdr->tp_len = AOE_MIN_FRAME;
	}
	hdr->tp_mac = (uint16_t)frame_offset();
	__atomic_store_n(&hdr->tp_status, TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
	ring_advance(&tx);
	s->sent = now;
	unsent = true;
	return true;
}

static void fill_window(const uint8_t *dst)
{
	while (nidle) {
		uint16_t i = idle[nidle - 1];
		struct slot *s = &slots[i];

		choose(s);
		s->tag = 0x80000000u | (++generation & 0x1fffff) << 10 | i;
		if (!put_frame(s, dst))
			return;
		s->busy = true;
		nidle--;
		issued++;
	}
}

static void send_all(void)
{
	if (!unsent)
		return;
	if (send(fd, NULL, 0, MSG_DONTWAIT) >= 0)
		unsent = false;
	else if (errno != EAGAIN && errno != ENOBUFS && errno != EINTR)
		fail("send");
}

static bool reply_is_good(const struct aoe_frame *f, unsigned int len, const struct slot *s)
{
	if ((f->verfl & AOE_ERROR) || (f->ata.cmdstat & 0xa9))
		return false;
	return s->write || len >= AOE_ATA_HDR + sectors * 512;
}

static void take_reply(const struct aoe_frame *f, unsigned int len)
{
	uint32_t tag = ntohl(f->tag);
	struct slot *s = &slots[tag & 0x3ff];

	if (len < AOE_ATA_HDR || !(f->verfl & AOE_RESPONSE) || f->command != AOE_ATA ||
	    !s->busy || s->tag != tag) {
		strange++;
		return;
	}
	if (!reply_is_good(f, len, s))
		errors++;
	if (!have_peer) {
		memcpy(peer, f->src, 6);
		have_peer = true;
	}
	s->busy = false;
	idle[nidle++] = (uint16_t)(tag & 0x3ff);
	replied++;
}

/* Everything that is there; false if there was nothing. */
static bool receive_all(void)
{
	bool any = false;

	for (;;) {
		struct tpacket2_hdr *hdr = ring_frame(&rx);

		if (!(__atomic_load_n(&hdr->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
			return any;
		take_reply((struct aoe_frame *)((uint8_t *)hdr + hdr->tp_mac), hdr->tp_snaplen);
		__atomic_store_n(&hdr->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		ring_advance(&rx);
		any = true;
	}
}

/* The same request, the same tag: which of two replies comes does not matter. */
static void ask_again(const uint8_t *dst)
{
	unsigned int i;

	for (i = 0; i < window; i++) {
		struct slot *s = &slots[i];

		if (!s->busy || now - s->sent < timeout_ns)
			continue;
		if (!put_frame(s, dst))
			return;
		retransmits++;
	}
}

static void one_round(const uint8_t *dst)
{
	static uint64_t checked;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	bool silent = false;

	fill_window(dst);
	send_all();
	if (!receive_all()) {
		/* A full ring or buffer: go on when there is room. */
		if (unsent || nidle)
			p.events |= POLLOUT;
		silent = poll(&p, 1, (int)(timeout_ns / 1000000)) == 0;
		receive_all();
	}
	if (silent || replied - checked >= AGE_CHECK) {
		checked = replied;
		now = clock_ns();
		ask_again(dst);
	}
}

/* --- runs -------------------------------------------------------------- */

/* One request to whoever has the target, and its address from the reply. */
static void find_peer(void)
{
	unsigned int all = window;
	uint64_t give_up;

	if (have_peer)
		return;
	now = clock_ns();
	give_up = now + 5 * timeout_ns;
	window = 1;
	nidle = 1;
	idle[0] = 0;
	while (!have_peer) {
		one_round(aoe_broadcast);
		now = clock_ns();
		if (now > give_up) {
			fprintf(stderr, "aoe-bench: %s: no answer from e%u.%u\n", ifname, shelf,
				first_slot);
			exit(1);
		}
	}
	window = all;
}

static void start_window(void)
{
	unsigned int i;

	nidle = 0;
	for (i = 0; i < window; i++) {
		if (!slots[i].busy)
			idle[nidle++] = (uint16_t)i;
	}
}

static bool finished(uint64_t start, uint64_t first)
{
	if (run_ns)
		return clock_ns() - start >= run_ns / parts;
	return replied - first >= (requests + parts - 1) / parts;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/*
 * Nanoseconds a request: the median of the parts, since whatever else a machine
 * does now and then comes in bursts that are longer than many requests.
 */
static double measure(void)
{
	static double part_ns[MAX_PARTS];
	unsigned int i;

	for (i = 0; i < parts; i++) {
		uint64_t first = replied, start = clock_ns();

		while (!finished(start, first))
			one_round(peer);
		if (replied == first)
			return 0;
		part_ns[i] = (double)(clock_ns() - start) / (double)(replied - first);
	}
	qsort(part_ns, parts, sizeof(part_ns[0]), compare);
	return part_ns[parts / 2];
}

/* Leave nothing under way that the next run would meet; give up in silence. */
static void drain(void)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	unsigned int i;

	for (i = 0; i < window; i++) {
		while (slots[i].busy) {
			if (!receive_all() && poll(&p, 1, 200) == 0)
				return;
		}
	}
}

int main(int argc, char **argv)
{
	uint64_t start, first, count, ns, cpu = 0;
	double median;

	parse(argc, argv);
	open_socket();
	map_rings();
	prepare_tx();
	find_peer();
	start_window();
	now = clock_ns();
	first = replied + warm_up;
	while (replied < first)
		one_round(peer);

	retransmits = 0;
	if (run_ns)
		cpu = cpu_ms();
	first = replied;
	start = clock_ns();
	median = measure();
	ns = clock_ns() - start;
	count = replied - first;
	if (run_ns)
		cpu = cpu_ms() - cpu;
	drain();
	printf("requests=%llu ns=%llu ns_per_request=%.1f ",
	       (unsigned long long)count, (unsigned long long)ns, median);
	printf("retransmits=%llu errors=%llu strange=%llu", (unsigned long long)retransmits,
	       (unsigned long long)errors, (unsigned long long)strange);
	if (run_ns)
		printf(" cpu_ms=%llu", (unsigned long long)cpu);
	putchar('\n');
	return errors || !count;
}
