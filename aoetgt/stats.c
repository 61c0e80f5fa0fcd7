// SPDX-License-Identifier: GPL-2.0
/* What a target did: latency in powers of two, and who its clients are. */
#include <linux/jiffies.h>
#include <linux/log2.h>
#include <linux/sched/clock.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "aoetgt.h"

/**
 * aoetgt_stats_init() - start from nothing
 * @stats: of a new target, zeroed
 */
void aoetgt_stats_init(struct aoetgt_stats *stats)
{
	spin_lock_init(&stats->lock);
	INIT_LIST_HEAD(&stats->clients);
}

/**
 * aoetgt_stats_exit() - free what was learnt of clients
 * @stats: of a target without requests
 */
void aoetgt_stats_exit(struct aoetgt_stats *stats)
{
	struct aoetgt_client *client, *next;

	list_for_each_entry_safe(client, next, &stats->clients, node)
		kfree(client);
}

/**
 * aoetgt_stats_dropped() - requests that ended without an answer
 * @stats: of a target
 *
 * Return: the sum of all reasons.
 */
u64 aoetgt_stats_dropped(const struct aoetgt_stats *stats)
{
	unsigned int i;
	u64 sum = 0;

	for (i = AOETGT_STAT_DROPS; i < AOETGT_STAT_NR; i++)
		sum += atomic64_read(&stats->count[i]);
	return sum;
}

/* Row 0 is below one microsecond, row i from 2^(i-1) to below 2^i. */
static unsigned int aoetgt_latency_row(u64 from, u64 to)
{
	u64 us = to > from ? div_u64(to - from, NSEC_PER_USEC) : 0;

	return us ? min_t(unsigned int, ilog2(us) + 1, AOETGT_LATENCY_ROWS - 1) : 0;
}

/* Clocks of two CPUs may differ a little: a negative span counts as none. */
static void aoetgt_latency_add(struct aoetgt_stats *stats, const struct aoetgt_request *req)
{
	u64 now = local_clock();

	lockdep_assert_held(&stats->lock);
	stats->latency[aoetgt_latency_row(req->t_rx, req->t_start)][AOETGT_QUEUE]++;
	stats->latency[aoetgt_latency_row(req->t_start, req->t_end)][AOETGT_DISK]++;
	stats->latency[aoetgt_latency_row(req->t_rx, now)][AOETGT_TOTAL]++;
}

/* A new client takes memory, or the place of the one that was silent longest. */
static struct aoetgt_client *aoetgt_client_new(struct aoetgt_stats *stats)
{
	struct aoetgt_client *client;

	if (stats->nr_clients < AOETGT_CLIENTS_MAX) {
		client = kmalloc(sizeof(*client), GFP_NOWAIT | __GFP_NOWARN);
		if (!client)
			return NULL;
		stats->nr_clients++;
	} else {
		client = list_last_entry(&stats->clients, struct aoetgt_client, node);
		list_del(&client->node);
	}
	memset(client, 0, sizeof(*client));
	list_add(&client->node, &stats->clients);
	return client;
}

static struct aoetgt_client *aoetgt_client_find(struct aoetgt_stats *stats, const u8 *mac,
						u32 iface_id, const char *ifname)
{
	struct aoetgt_client *client;

	lockdep_assert_held(&stats->lock);
	list_for_each_entry(client, &stats->clients, node) {
		if (!ether_addr_equal_unaligned(client->mac, mac))
			continue;
		/* An interface that came back under its name is the same to whoever looks. */
		if (client->iface_id != iface_id && strcmp(client->ifname, ifname))
			continue;
		client->iface_id = iface_id;
		if (!list_is_first(&client->node, &stats->clients))
			list_move(&client->node, &stats->clients);
		return client;
	}
	client = aoetgt_client_new(stats);
	if (client) {
		ether_addr_copy(client->mac, mac);
		client->iface_id = iface_id;
		strscpy(client->ifname, ifname, sizeof(client->ifname));
	}
	return client;
}

/**
 * aoetgt_stats_request() - account for a request that is being answered
 * @req: the request
 * @ifname: name of the interface it came by
 * @error: it is answered with an ATA or AoE error
 *
 * Context: softirqs off.
 */
void aoetgt_stats_request(struct aoetgt_request *req, const char *ifname, bool error)
{
	struct aoetgt_stats *stats = &req->target->stats;
	struct aoetgt_client *client;

	spin_lock(&stats->lock);
	client = aoetgt_client_find(stats, req->client, READ_ONCE(req->iface->id), ifname);
	if (client) {
		client->seen = jiffies;
		client->requests++;
		client->bytes += error ? 0 : req->transferred;
		client->errors += error;
	}
	if (req->t_end)
		aoetgt_latency_add(stats, req);
	spin_unlock(&stats->lock);
}

/**
 * aoetgt_stats_latency() - the latency table as text
 * @stats: of a target
 * @page: where to, PAGE_SIZE bytes
 *
 * Return: length of the text.
 */
ssize_t aoetgt_stats_latency(struct aoetgt_stats *stats, char *page)
{
	unsigned int row;
	int len;

	len = sysfs_emit(page, "lower_us queue disk total\n");
	spin_lock_bh(&stats->lock);
	for (row = 0; row < AOETGT_LATENCY_ROWS; row++)
		len += sysfs_emit_at(page, len, "%lu %llu %llu %llu\n",
				     row ? 1UL << (row - 1) : 0,
				     stats->latency[row][AOETGT_QUEUE],
				     stats->latency[row][AOETGT_DISK],
				     stats->latency[row][AOETGT_TOTAL]);
	spin_unlock_bh(&stats->lock);
	return len;
}

/**
 * aoetgt_stats_clients() - the clients of a target as text
 * @stats: of the target
 * @shelf: of the target
 * @slot: of the target
 * @m: where to
 */
void aoetgt_stats_clients(struct aoetgt_stats *stats, u16 shelf, u8 slot, struct seq_file *m)
{
	struct aoetgt_client *client;

	spin_lock_bh(&stats->lock);
	list_for_each_entry(client, &stats->clients, node)
		seq_printf(m, "e%u.%u %pM %s %u %llu %llu %llu\n", shelf, slot,
			   client->mac, client->ifname,
			   jiffies_to_msecs(jiffies - client->seen),
			   client->requests, client->bytes, client->errors);
	spin_unlock_bh(&stats->lock);
}
