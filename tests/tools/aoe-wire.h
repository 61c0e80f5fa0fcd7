/* SPDX-License-Identifier: GPL-2.0 */
/*
 * AoE for the test tools: the frames, a packet socket, names of targets.
 * Written from the protocol notes, on purpose without the module's proto.h:
 * a mistake there shall not cancel itself out here.
 */
#ifndef AOE_WIRE_H
#define AOE_WIRE_H

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define AOE_ETHERTYPE	0x88a2
#define AOE_FRAME_MAX	65600
#define AOE_MIN_FRAME	60

#define AOE_RESPONSE	0x08
#define AOE_ERROR	0x04

#define AOE_ATA		0
#define AOE_CONFIG	1

#define ATA_WRITE_FLAG	0x01
#define ATA_EXT_FLAG	0x40

#define OP_READ_EXT	0x24
#define OP_WRITE_EXT	0x34
#define OP_WRITE_FUA	0x3d
#define OP_VERIFY_EXT	0x42
#define OP_FLUSH_EXT	0xea
#define OP_IDENTIFY	0xec
#define OP_TRIM		0x06

struct aoe_frame {
	uint8_t dst[6];
	uint8_t src[6];
	uint16_t type;
	uint8_t verfl;
	uint8_t error;
	uint16_t shelf;
	uint8_t slot;
	uint8_t command;
	uint32_t tag;
	union {
		struct {
			uint8_t aflags;
			uint8_t feature;
			uint8_t count;
			uint8_t cmdstat;
			uint8_t lba[6];
			uint8_t reserved[2];
			uint8_t data[];
		} __attribute__((packed)) ata;
		struct {
			uint16_t buffers;
			uint16_t firmware;
			uint8_t sectors;
			uint8_t ccmd;
			uint16_t len;
			uint8_t string[];
		} __attribute__((packed)) cfg;
	};
} __attribute__((packed));

#define AOE_HDR		24
#define AOE_ATA_HDR	36
#define AOE_CFG_HDR	32

static const uint8_t aoe_broadcast[6] = { 255, 255, 255, 255, 255, 255 };

static inline uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static inline void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

/* "e7.1" -> shelf and slot; "all" -> both wildcards. */
static inline bool aoe_parse_target(const char *s, uint16_t *shelf, uint8_t *slot)
{
	unsigned int a, b;
	char rest;

	if (!strcmp(s, "all")) {
		*shelf = 0xffff;
		*slot = 0xff;
		return true;
	}
	if (sscanf(s, "e%u.%u%c", &a, &b, &rest) != 2 || a > 0xffff || b > 0xff)
		return false;
	*shelf = (uint16_t)a;
	*slot = (uint8_t)b;
	return true;
}

static inline bool mac_parse(const char *s, uint8_t *mac)
{
	char rest;

	return sscanf(s, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx%c", &mac[0], &mac[1],
		      &mac[2], &mac[3], &mac[4], &mac[5], &rest) == 6;
}

static inline const char *mac_text(const uint8_t *mac)
{
	static char text[18];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x",
		 mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return text;
}

/*
 * A packet socket on the interface that hears AoE replies only; -1 when there
 * is no such interface (now).  Its own MAC is left in @mac.
 */
static inline int aoe_open(const char *ifname, uint8_t *mac)
{
	/* ethertype 0x88a2 and the response flag; lengths are left alone */
	static struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, AOE_RESPONSE, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = { .len = 4, .filter = code };
	struct sockaddr_ll sll = { .sll_family = AF_PACKET };
	int size = 16 << 20;
	struct ifreq ifr;
	int fd, saved;

	fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fail("socket");
	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
	if (ioctl(fd, SIOCGIFHWADDR, &ifr))
		goto out;
	memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
	if (ioctl(fd, SIOCGIFINDEX, &ifr))
		goto out;
	sll.sll_ifindex = ifr.ifr_ifindex;
	sll.sll_protocol = htons(AOE_ETHERTYPE);
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)))
		fail("SO_ATTACH_FILTER");
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	if (bind(fd, (struct sockaddr *)&sll, sizeof(sll)))
		goto out;
	return fd;
out:
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static inline void aoe_header(struct aoe_frame *f, const uint8_t *dst,
			      const uint8_t *src, uint16_t shelf, uint8_t slot,
			      uint8_t command, uint32_t tag)
{
	memcpy(f->dst, dst, 6);
	memcpy(f->src, src, 6);
	f->type = htons(AOE_ETHERTYPE);
	f->verfl = 0x10;
	f->error = 0;
	f->shelf = htons(shelf);
	f->slot = slot;
	f->command = command;
	f->tag = htonl(tag);
}

static inline void aoe_set_ata(struct aoe_frame *f, uint8_t op, uint8_t flags,
			       uint64_t lba, unsigned int count)
{
	int i;

	memset(&f->ata, 0, sizeof(f->ata));
	f->ata.aflags = flags;
	f->ata.count = (uint8_t)count;
	f->ata.cmdstat = op;
	for (i = 0; i < 6; i++)
		f->ata.lba[i] = (uint8_t)(lba >> (8 * i));
}

/* Wait for the socket; milliseconds, rounded up so that no caller spins. */
static inline bool aoe_wait(int fd, int64_t us)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (us < 0)
		us = 0;
	return poll(&p, 1, (int)((us + 999) / 1000)) > 0;
}

#endif
