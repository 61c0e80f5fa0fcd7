// SPDX-License-Identifier: GPL-2.0
/*
 * Arrival order of requests on the disks of a target.
 *
 * Two requests of which one writes, and whose sectors overlap, are never in
 * flight together, and the one that came first runs first.  So a write that
 * was resent, answered and overwritten can never be undone by its own late
 * twin.  A flush waits for the writes before it, a barrier for all reads and
 * writes before it; neither holds up what comes later.
 *
 * While nothing but reads is under way they are only counted, which is all
 * that most of them ever need.  What comes next and minds reads waits for all
 * that were counted, overlapping or not; reads behind it take a place again.
 *
 * tests/model/order.pml is a model of this, for a tool that tries all orders of
 * events: keep the two alike.
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
	INIT_LIST_HEAD(&order->behind_reads);
	order->reads = 0;
	order->seq = 0;
}

/* Return: true if it was counted, and has no place among the ranges. */
static bool aoetgt_order_count_read(struct aoetgt_order *order, struct aoetgt_place *place)
{
	lockdep_assert_held(&order->lock);
	place->counted = place->kind == AOETGT_ORDER_READ &&
			 RB_EMPTY_ROOT(&order->ranges.rb_root);
	order->reads += place->counted;
	place->disk->reads += place->counted;
	return place->counted;
}

/* How many counted reads must end before this one may start? */
static unsigned int aoetgt_place_reads(const struct aoetgt_order *order,
				       const struct aoetgt_place *place)
{
	switch (place->kind) {
	case AOETGT_ORDER_WRITE:
		return place->disk->reads;
	case AOETGT_ORDER_BARRIER:
		return order->reads;
	default:
		return 0;
	}
}

/* The last read of a disk that was only counted has ended. */
static void aoetgt_order_reads_over(struct aoetgt_order *order)
{
	struct aoetgt_place *place, *next;

	lockdep_assert_held(&order->lock);
	list_for_each_entry_safe(place, next, &order->behind_reads, ready) {
		if (aoetgt_place_reads(order, place))
			continue;
		list_del(&place->ready);
		if (!--place->waits)
			list_add_tail(&place->ready, &order->ready);
	}
}

static void aoetgt_order_uncount_read(struct aoetgt_order *order, struct aoetgt_place *place)
{
	lockdep_assert_held(&order->lock);
	order->reads--;
	if (!--place->disk->reads)
		aoetgt_order_reads_over(order);
}

static void aoetgt_order_insert(struct aoetgt_order *order, struct aoetgt_place *place)
{
	struct aoetgt_place *other;

	lockdep_assert_held(&order->lock);
	place->seq = ++order->seq;
	for (other = aoetgt_range_iter_first(&order->ranges, place->first, place->last); other;
	     other = aoetgt_range_iter_next(other, place->first, place->last))
		if (aoetgt_place_blocks(other, place))
			place->waits++;
	if (aoetgt_place_reads(order, place)) {
		place->waits++;
		list_add_tail(&place->ready, &order->behind_reads);
	}
	aoetgt_range_insert(place, &order->ranges);
}

static void aoetgt_order_remove(struct aoetgt_order *order, struct aoetgt_place *place)
{
	struct aoetgt_place *other;

	lockdep_assert_held(&order->lock);
	aoetgt_range_remove(place, &order->ranges);
	for (other = aoetgt_range_iter_first(&order->ranges, place->first, place->last); other;
	     other = aoetgt_range_iter_next(other, place->first, place->last)) {
		if (other->seq < place->seq || !aoetgt_place_blocks(place, other))
			continue;
		if (!--other->waits)
			list_add_tail(&other->ready, &order->ready);
	}
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
			struct aoetgt_disk *disk, enum aoetgt_order_kind kind,
			u64 first, u64 last)
{
	bool free;

	place->disk = disk;
	place->kind = kind;
	place->first = first;
	place->last = last;
	place->waits = 0;

	spin_lock_bh(&order->lock);
	if (!aoetgt_order_count_read(order, place))
		aoetgt_order_insert(order, place);
	/* Once the lock is free, it may be ready, and started, at any time. */
	free = !place->waits;
	spin_unlock_bh(&order->lock);

	return free;
}

/**
 * aoetgt_order_leave() - give the place up: the request is over
 * @order: of the target
 * @place: of the request, entered before
 *
 * Context: softirqs off.
 * Return: true if another one may start now, see aoetgt_order_next().
 */
bool aoetgt_order_leave(struct aoetgt_order *order, struct aoetgt_place *place)
{
	bool ready;

	spin_lock(&order->lock);
	if (!place->counted)
		aoetgt_order_remove(order, place);
	else
		aoetgt_order_uncount_read(order, place);
	ready = !list_empty(&order->ready);
	spin_unlock(&order->lock);

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

	/* What comes now comes with a kick. */
	if (list_empty(&order->ready))
		return NULL;
	spin_lock_bh(&order->lock);
	place = list_first_entry_or_null(&order->ready, struct aoetgt_place, ready);
	if (place)
		list_del(&place->ready);
	spin_unlock_bh(&order->lock);

	return place;
}
