/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Results of the unit tests: one line a group of cases.
 *
 *	group("config query: read");
 *	expect(verdict == AOE_CONFIG_REPLY, "case %d", i);
 *	...
 *	return finish();
 */
#ifndef AOETGT_UNIT_H
#define AOETGT_UNIT_H

#include <stdarg.h>
#include <stdio.h>

static const char *unit_group;
static unsigned int unit_cases, unit_bad, unit_failed;

static inline void unit_end_group(void)
{
	if (!unit_group)
		return;
	/* A group without cases tests nothing. */
	if (!unit_cases)
		unit_bad++;
	printf("%s - %s (%u cases)\n", unit_bad ? "not ok" : "ok", unit_group, unit_cases);
	unit_failed += !!unit_bad;
	unit_group = NULL;
}

static inline void group(const char *name)
{
	unit_end_group();
	unit_group = name;
	unit_cases = 0;
	unit_bad = 0;
}

__attribute__((format(printf, 4, 5)))
static inline void unit_expect(bool cond, const char *text, int line, const char *fmt, ...)
{
	va_list args;

	unit_cases++;
	if (cond)
		return;
	unit_bad++;
	va_start(args, fmt);
	printf("# line %d: %s: ", line, text);
	vprintf(fmt, args);
	printf("\n");
	va_end(args);
}

#define expect(cond, ...)	unit_expect(cond, #cond, __LINE__, __VA_ARGS__)

static inline int finish(void)
{
	unit_end_group();
	return unit_failed != 0;
}

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#endif /* AOETGT_UNIT_H */
