/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The few kernel names that proto.h and ata.h use, for user space.
 *
 * memcmp() and friends are plain loops: the kernel's may be called with a NULL
 * pointer and no length, and the sanitizers then see every access.
 */
#ifndef AOETGT_KERNEL_SHIM_H
#define AOETGT_KERNEL_SHIM_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef uint16_t __be16;
typedef uint32_t __be32;
typedef uint64_t __le64;

#define be16_to_cpu(x)	be16toh(x)
#define be32_to_cpu(x)	be32toh(x)
#define le64_to_cpu(x)	le64toh(x)
#define cpu_to_be16(x)	htobe16(x)
#define cpu_to_be32(x)	htobe32(x)
#define cpu_to_le64(x)	htole64(x)

#define __packed	__attribute__((packed))
#define ETH_ALEN	6

#undef static_assert
#define static_assert(expr, ...)	_Static_assert(expr, #expr)

/* As in the kernel: both sides of min() and max() have one type. */
#define __same_type(a, b)	__builtin_types_compatible_p(__typeof__(a), __typeof__(b))
#define min_t(type, a, b)	({ type _a = (a), _b = (b); _a < _b ? _a : _b; })
#define max_t(type, a, b)	({ type _a = (a), _b = (b); _a > _b ? _a : _b; })
#define min(a, b) ({							\
	_Static_assert(__same_type(a, b), "min() of two types");	\
	min_t(__typeof__(a), a, b);					\
})
#define max(a, b) ({							\
	_Static_assert(__same_type(a, b), "max() of two types");	\
	max_t(__typeof__(a), a, b);					\
})
#define clamp(val, lo, hi)	min(max(val, lo), hi)

static inline bool is_zero_ether_addr(const u8 *mac)
{
	return !(mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]);
}

static inline bool is_multicast_ether_addr(const u8 *mac)
{
	return mac[0] & 0x01;
}

static inline bool is_valid_ether_addr(const u8 *mac)
{
	return !is_multicast_ether_addr(mac) && !is_zero_ether_addr(mac);
}

static inline int shim_memcmp(const void *a, const void *b, size_t n)
{
	const u8 *x = a, *y = b;
	size_t i;

	for (i = 0; i < n; i++)
		if (x[i] != y[i])
			return x[i] - y[i];
	return 0;
}

#define memcmp(a, b, n)	shim_memcmp(a, b, n)

#endif /* AOETGT_KERNEL_SHIM_H */
