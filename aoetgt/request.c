// SPDX-License-Identifier: GPL-2.0
/* Memory of requests, and the way from the end of I/O back to process context. */
#include <linux/gfp.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/slab.h>

#include "aoetgt.h"

/* Runs the workers of targets and interfaces; also under memory pressure. */
struct workqueue_struct *aoetgt_wq;

static struct kmem_cache *aoetgt_request_cache;

/**
 * aoetgt_request_init() - set up what requests are made of
 *
 * Return: 0 or -ENOMEM.
 */
int aoetgt_request_init(void)
{
	aoetgt_request_cache = kmem_cache_create("aoetgt_request", sizeof(struct aoetgt_request),
						 0, 0, NULL);
	if (!aoetgt_request_cache)
		return -ENOMEM;
	/*
	 * Unbound: network cards put all AoE frames into one receive queue,
	 * and the CPU that serves it should not have to submit as well.
	 */
	aoetgt_wq = alloc_workqueue("aoetgt", WQ_UNBOUND | WQ_MEM_RECLAIM | WQ_HIGHPRI,
				    WQ_MAX_ACTIVE);
	if (!aoetgt_wq) {
		kmem_cache_destroy(aoetgt_request_cache);
		return -ENOMEM;
	}
	return 0;
}

/**
 * aoetgt_request_exit() - undo aoetgt_request_init()
 *
 * Context: process; waits for work that still runs.
 */
void aoetgt_request_exit(void)
{
	destroy_workqueue(aoetgt_wq);
	kmem_cache_destroy(aoetgt_request_cache);
}

/**
 * aoetgt_request_alloc() - make a request for a frame
 * @skb: the frame; the request takes a reference of its own
 * @gfp: how to allocate
 *
 * Context: any that @gfp allows.
 * Return: the request, zeroed up to its bio, or NULL.
 */
struct aoetgt_request *aoetgt_request_alloc(struct sk_buff *skb, gfp_t gfp)
{
	struct aoetgt_request *req = kmem_cache_alloc(aoetgt_request_cache, gfp);

	if (!req)
		return NULL;
	memset(req, 0, offsetof(struct aoetgt_request, bio));
	req->skb = skb_get(skb);
	req->t_rx = local_clock();
	return req;
}

/**
 * aoetgt_request_no_pages() - give the data pages back
 * @req: the request; no I/O is under way
 */
void aoetgt_request_no_pages(struct aoetgt_request *req)
{
	while (req->nr_pages)
		__free_page(req->bvecs[--req->nr_pages].bv_page);
	req->data_len = 0;
}

/**
 * aoetgt_request_free() - free the memory of a request
 * @req: the request; its references have been put
 */
void aoetgt_request_free(struct aoetgt_request *req)
{
	aoetgt_request_no_pages(req);
	consume_skb(req->skb);
	kmem_cache_free(aoetgt_request_cache, req);
}

/**
 * aoetgt_request_pages() - give a request pages for its data
 * @req: the request, without pages
 * @len: bytes, at most AOE_SECTORS_MAX sectors
 *
 * The pages are not cleared: whoever answers with them fills all @len bytes.
 *
 * Context: process, may sleep; the worker forbids I/O for allocations.
 * Return: false when there is no memory.
 */
bool aoetgt_request_pages(struct aoetgt_request *req, unsigned int len)
{
	unsigned int left, part;

	for (left = len; left; left -= part) {
		struct page *page = alloc_page(GFP_NOIO | __GFP_NOWARN);

		if (!page) {
			aoetgt_request_no_pages(req);
			return false;
		}
		part = min_t(unsigned int, left, PAGE_SIZE);
		bvec_set_page(&req->bvecs[req->nr_pages++], page, part, 0);
	}
	req->data_len = len;
	return true;
}

/**
 * aoetgt_request_payload() - take the data out of the frame of an ATA command
 * @req: the request, without pages; the frame has been found long enough
 * @len: bytes
 *
 * Context: as aoetgt_request_pages().
 * Return: false when there is no memory, or the frame is not readable.
 */
bool aoetgt_request_payload(struct aoetgt_request *req, unsigned int len)
{
	unsigned int at = sizeof(struct aoe_hdr) + sizeof(struct aoe_ata);
	unsigned int i;

	if (!aoetgt_request_pages(req, len))
		return false;
	for (i = 0; i < req->nr_pages; i++) {
		struct bio_vec *bv = &req->bvecs[i];

		if (skb_copy_bits(req->skb, at, page_address(bv->bv_page), bv->bv_len)) {
			aoetgt_request_no_pages(req);
			return false;
		}
		at += bv->bv_len;
	}
	consume_skb(req->skb);
	req->skb = NULL;
	return true;
}

/**
 * aoetgt_request_complete() - the I/O of a request has ended
 * @req: the request, status set
 *
 * Hands it to whoever answers: the worker if this is its own submission that
 * ended on the spot, else done_work.
 *
 * Context: any, hard interrupt included.
 */
void aoetgt_request_complete(struct aoetgt_request *req)
{
	struct aoetgt_target *t = req->target;

	req->t_end = local_clock();
	/* The request, and its hold on the target, may be gone once it is on the list. */
	percpu_ref_get(&t->disk.refs);
	llist_add(&req->node, &t->done);
	if (!in_task() || READ_ONCE(t->worker) != current)
		queue_work(aoetgt_wq, &t->done_work);
	percpu_ref_put(&t->disk.refs);
}
