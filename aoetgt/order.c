// SPDX-License-Identifier: GPL-2.0
/*
 * Arrival order of requests on the disks of a target.
 *
 * Two requests of which one writes, and whose sectors overlap, are never in
 * flight together, and the one that came first runs first.  So a write that
 * was resent, answered and overwritten can never be undone by its own late
 * twin.  A flush waits for the writes before it, a barrier for all I/O before
 * it; neither holds up what comes later.
 */
#include <linux/interval_tree_generic.h>

#include "aoetgt.h"

#define place_first(place)	((place)->first)
#define place_last(place)	((place)->last)

INTERVAL_TREE_DEFINE(struct aoetgt_place, rb, u64, subtree_last, place_first, place_last,
		     static, aoetgt_range)

/* Must @late wait for @early, which arrived before it and overlaps it? */
static bool aoetgt_place_blocks(const struct aoetgt_place *early, const struct aoetgt_place *late)
{
	bool early_writes = early->kind == AOETGT_ORDER_WRITE;
	bool early_reads = early->kind == AOETGT_ORDER_READ;

	if (early->disk != late->disk && late->kind != AOETGT_ORDER_BARRIER)
		return false;
	switch (late->kind) {
	case AOETGT_ORDER_READ:
	case AOETGT_ORDER_FLUSH:
		return early_writes;
	case AOETGT_ORDER_WRITE:
	case AOETGT_ORDER_BARRIER:
		return early_writes || early_reads;
	}
	return false;
}

/**
 * aoetgt_order_init() - start an empty order
 * @order: of a target
 */
void aoetgt_order_init(struct aoetgt_order *order)
{
	spin_lock_init(&order->lock);
	order->ranges = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&order->ready);
	order->seq = 0;
}

/**
 * aoetgt_order_enter() - take a place in the order
 * @order: of the target
 * @place: of the request
 * @disk: whose sectors they are
 * @kind: what the request does
 * @first: first sector it touches
 * @last: last sector it touches
 *
 * Context: process; calls for one order come from its worker, in the order of
 * arrival.
 * Return: true if nothing is in the way.  Otherwise aoetgt_order_next() hands
 * the place out once everything in its way has left.
 */
bool aoetgt_order_enter(struct aoetgt_order *order, struct aoetgt_place *place,
			const struct aoetgt_disk *disk, enum aoetgt_order_kind kind,
			u64 first, u64 last)
{
	struct aoetgt_place *other;
	bool free;

	place->disk = disk;
	place->kind = kind;
	place->first = first;
	place->last = last;
	place->waits = 0;
	place->entered = true;

	spin_lock(&order->lock);
	place->seq = ++order->seq;
	for (other = aoetgt_range_iter_first(&order->ranges, first, last); other;
	     other = aoetgt_range_iter_next(other, first, last))
		if (aoetgt_place_blocks(other, place))
			place->waits++;
	aoetgt_range_insert(place, &order->ranges);
	/* Once the lock is free, it may be ready, and started, at any time. */
	free = !place->waits;
	spin_unlock(&order->lock);

	return free;
}

/**
 * aoetgt_order_leave() - give the place up: the request is over
 * @order: of the target
 * @place: of the request, entered before
 *
 * Context: process.
 * Return: true if another one may start now, see aoetgt_order_next().
 */
bool aoetgt_order_leave(struct aoetgt_order *order, struct aoetgt_place *place)
{
	struct aoetgt_place *other;
	bool ready;

	spin_lock(&order->lock);
	aoetgt_range_remove(place, &order->ranges);
	for (other = aoetgt_range_iter_first(&order->ranges, place->first, place->last); other;
	     other = aoetgt_range_iter_next(other, place->first, place->last)) {
		if (other->seq < place->seq || !aoetgt_place_blocks(place, other))
			continue;
		if (!--other->waits)
			list_add_tail(&other->ready, &order->ready);
	}
	ready = !list_empty(&order->ready);
	spin_unlock(&order->lock);
	place->entered = false;

	return ready;
}

/**
 * aoetgt_order_next() - the next request that has waited long enough
 * @order: of the target
 *
 * Context: process, the worker of the target.
 * Return: its place, or NULL.
 */
struct aoetgt_place *aoetgt_order_next(struct aoetgt_order *order)
{
	struct aoetgt_place *place;

	spin_lock(&order->lock);
	place = list_first_entry_or_null(&order->ready, struct aoetgt_place, ready);
	if (place)
		list_del(&place->ready);
	spin_unlock(&order->lock);

	return place;
}
