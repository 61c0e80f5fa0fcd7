// SPDX-License-Identifier: GPL-2.0
/*
 * A disk with two habits that real ones have and that nothing in the kernel
 * models, as a server for a network block device:
 *
 * Writes do not finish in the order they came: SLOW_PERCENT of them take
 * effect, and are answered, SLOW_MS later. (dm-delay delays every write alike,
 * so a server that lets two writes to one sector be in flight together looks
 * right on it.)
 *
 * With MEDIUM, a file, it has a volatile cache: a write is answered when it is
 * in memory, and gets to the file by a flush, or at once if it has FUA. Kill
 * the process with SIGKILL, and that was a power cut. (null_blk's cache_size
 * does not do: it writes through to pages that its medium has already.)
 *
 *   jitter-disk /dev/nbdN MIB SLOW_PERCENT SLOW_MS [MEDIUM]
 *
 * Runs until SIGTERM.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/nbd.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct op {
	struct op *next;
	uint64_t due;
	uint64_t from;
	uint32_t len;
	bool fua;
	char handle[8];
	uint8_t data[];
};

static struct op *waiting;
static uint8_t *disk;
static bool *dirty;		/* sectors that are not on the medium */
static uint64_t disk_size;
static int slow_percent, slow_ms, sock, nbd, medium = -1;
static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static void fail(const char *what)
{
	fprintf(stderr, "jitter-disk: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static bool get(void *buf, size_t len)
{
	uint8_t *p = buf;
	ssize_t n;

	while (len) {
		n = read(sock, p, len);
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static bool put(const void *buf, size_t len)
{
	const uint8_t *p = buf;
	ssize_t n;

	while (len) {
		n = write(sock, p, len);
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static bool answer(const char *handle, const void *data, size_t len)
{
	struct nbd_reply reply = { .magic = htobe32(NBD_REPLY_MAGIC) };

	memcpy(reply.handle, handle, 8);
	return put(&reply, sizeof(reply)) && (!len || put(data, len));
}

/* Earliest first, equal times in order of arrival. */
static void queue(struct op *op)
{
	struct op **p = &waiting;

	while (*p && (*p)->due <= op->due)
		p = &(*p)->next;
	op->next = *p;
	*p = op;
}

static void to_medium(uint64_t from, uint64_t len)
{
	uint64_t sector;

	for (sector = from / 512; sector < (from + len) / 512; sector++) {
		if (!dirty[sector])
			continue;
		if (pwrite(medium, disk + sector * 512, 512, (off_t)(sector * 512)) != 512)
			fail("medium");
		dirty[sector] = false;
	}
}

static void take_effect(const struct op *op)
{
	memcpy(disk + op->from, op->data, op->len);
	if (medium < 0)
		return;
	memset(dirty + op->from / 512, 1, op->len / 512);
	if (op->fua)
		to_medium(op->from, op->len);
}

static bool run_due(void)
{
	struct op *op;
	bool fine;

	while (waiting && waiting->due <= now_ms()) {
		op = waiting;
		waiting = op->next;
		take_effect(op);
		fine = answer(op->handle, NULL, 0);
		free(op);
		if (!fine)
			return false;
	}
	return true;
}

static bool take_write(const char *handle, uint64_t from, uint32_t len, bool fua)
{
	struct op *op = malloc(sizeof(*op) + len);

	if (!op || !get(op->data, len))
		fail("write");
	op->from = from;
	op->len = len;
	op->fua = fua;
	op->due = now_ms();
	if (rand() % 100 < slow_percent)
		op->due += (uint64_t)slow_ms;
	memcpy(op->handle, handle, 8);
	queue(op);
	return true;
}

static bool take_request(void)
{
	struct nbd_request req;
	uint64_t from;
	uint32_t len;
	char handle[8];

	if (!get(&req, sizeof(req)))
		return false;
	from = be64toh(req.from);
	len = be32toh(req.len);
	memcpy(handle, req.handle, 8);
	switch (be32toh(req.type) & 0xffff) {
	case NBD_CMD_READ:
		return answer(handle, disk + from, len);
	case NBD_CMD_WRITE:
		return take_write(handle, from, len, be32toh(req.type) & NBD_CMD_FLAG_FUA);
	case NBD_CMD_FLUSH:
		if (medium >= 0)
			to_medium(0, disk_size);
		return answer(handle, NULL, 0);
	default:
		return false;
	}
}

static void serve(void)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	int timeout;

	while (!stop && run_due()) {
		timeout = -1;
		if (waiting)
			timeout = waiting->due > now_ms() ? (int)(waiting->due - now_ms()) : 0;
		if (poll(&p, 1, timeout) > 0 && !take_request())
			break;
	}
}

static void attach(const char *device, int end)
{
	unsigned long flags = NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_FUA;

	nbd = open(device, O_RDWR);
	if (nbd < 0)
		fail(device);
	if (ioctl(nbd, NBD_CLEAR_SOCK) ||
	    ioctl(nbd, NBD_SET_BLKSIZE, 512UL) ||
	    ioctl(nbd, NBD_SET_SIZE_BLOCKS, (unsigned long)(disk_size / 512)) ||
	    ioctl(nbd, NBD_SET_FLAGS, flags) ||
	    ioctl(nbd, NBD_SET_SOCK, (unsigned long)end))
		fail("attach");
}

/* What the medium holds is what the disk holds after power on. */
static void power_on(const char *file)
{
	ssize_t n;

	medium = open(file, O_RDWR | O_CREAT, 0644);
	dirty = calloc(disk_size / 512, sizeof(*dirty));
	if (medium < 0 || !dirty || ftruncate(medium, (off_t)disk_size))
		fail(file);
	n = pread(medium, disk, disk_size, 0);
	if (n != (ssize_t)disk_size)
		fail(file);
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };
	int pair[2];
	pid_t child;

	if (argc != 5 && argc != 6) {
		fputs("usage: jitter-disk /dev/nbdN MIB SLOW_PERCENT SLOW_MS [MEDIUM]\n", stderr);
		return 2;
	}
	disk_size = strtoull(argv[2], NULL, 0) << 20;
	slow_percent = atoi(argv[3]);
	slow_ms = atoi(argv[4]);
	disk = calloc(1, disk_size);
	if (!disk || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		fail("setup");
	if (argc == 6)
		power_on(argv[5]);
	sock = pair[0];
	attach(argv[1], pair[1]);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	child = fork();
	if (child < 0)
		fail("fork");
	if (!child) {
		/* sleeps here until the device is disconnected */
		signal(SIGTERM, SIG_IGN);
		signal(SIGINT, SIG_IGN);
		close(sock);
		ioctl(nbd, NBD_DO_IT);
		ioctl(nbd, NBD_CLEAR_QUE);
		ioctl(nbd, NBD_CLEAR_SOCK);
		_exit(0);
	}
	close(pair[1]);
	serve();
	ioctl(nbd, NBD_DISCONNECT);
	close(sock);
	waitpid(child, NULL, 0);
	return 0;
}
