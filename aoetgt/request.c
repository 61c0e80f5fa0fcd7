// SPDX-License-Identifier: GPL-2.0
/* Memory of requests, and their way back from the end of I/O. */
#include <linux/gfp.h>
#include <linux/interrupt.h>
#include <linux/mempool.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/slab.h>

#include "aoetgt.h"

/* Requests that can always be made, whatever the allocator says. */
#define AOETGT_RESERVE		256

/* Runs what may block, and what no client waits for. */
struct workqueue_struct *aoetgt_wq;

static struct kmem_cache *aoetgt_request_cache;
static mempool_t *aoetgt_request_pool;

/* Requests whose I/O has ended on this CPU, newest first. */
struct aoetgt_done {
	struct llist_head list;
	struct tasklet_struct tasklet;
};

static DEFINE_PER_CPU(struct aoetgt_done, aoetgt_done);

/*
 * Free requests of this CPU, whose softirq is the only user.  A batch is
 * allocated at once and freed at once, which is what slabs are slow at; they
 * also clear the memory each time, if the kernel is told to.
 */
#define AOETGT_SPARE		128

struct aoetgt_spare {
	unsigned int n;
	struct aoetgt_request *req[AOETGT_SPARE];
};

static struct aoetgt_spare __percpu *aoetgt_spare;

/*
 * Data pages that were handed out and are kept track of: each is held once
 * more, and so shows when it has come back from the disk or the network, to be
 * handed out again without a visit to the page allocator.
 */
#define AOETGT_PAGES_KEPT	256

struct aoetgt_pages {
	spinlock_t lock;		/* guards all of it; process context */
	bool used;			/* since the last aoetgt_pages_trim() */
	unsigned int next;
	struct page *page[AOETGT_PAGES_KEPT];	/* in the order of use */
};

static struct aoetgt_pages __percpu *aoetgt_pages;

/* All that has ended in this round of interrupts is answered together.  Softirq. */
static void aoetgt_done_tasklet(struct tasklet_struct *tasklet)
{
	struct aoetgt_done *done = container_of(tasklet, struct aoetgt_done, tasklet);

	aoetgt_requests_answer(llist_del_all(&done->list));
}

/**
 * aoetgt_request_init() - set up what requests are made of
 *
 * Return: 0 or -ENOMEM.
 */
int aoetgt_request_init(void)
{
	int cpu;

	aoetgt_pages = alloc_percpu(struct aoetgt_pages);
	aoetgt_spare = alloc_percpu(struct aoetgt_spare);
	if (!aoetgt_pages || !aoetgt_spare)
		goto out_percpu;
	for_each_possible_cpu(cpu) {
		spin_lock_init(&per_cpu_ptr(aoetgt_pages, cpu)->lock);
		tasklet_setup(&per_cpu(aoetgt_done, cpu).tasklet, aoetgt_done_tasklet);
	}
	aoetgt_request_cache = KMEM_CACHE(aoetgt_request, SLAB_HWCACHE_ALIGN);
	if (!aoetgt_request_cache)
		goto out_percpu;
	aoetgt_request_pool = mempool_create_slab_pool(AOETGT_RESERVE, aoetgt_request_cache);
	if (!aoetgt_request_pool)
		goto out_cache;
	aoetgt_wq = alloc_workqueue("aoetgt", WQ_UNBOUND | WQ_MEM_RECLAIM | WQ_HIGHPRI,
				    WQ_MAX_ACTIVE);
	if (aoetgt_wq)
		return 0;
	mempool_destroy(aoetgt_request_pool);
out_cache:
	kmem_cache_destroy(aoetgt_request_cache);
out_percpu:
	free_percpu(aoetgt_spare);
	free_percpu(aoetgt_pages);
	return -ENOMEM;
}

/**
 * aoetgt_request_exit() - undo aoetgt_request_init(); no requests are left
 *
 * Context: process; waits for work that still runs.
 */
void aoetgt_request_exit(void)
{
	int cpu;

	destroy_workqueue(aoetgt_wq);
	for_each_possible_cpu(cpu) {
		struct aoetgt_spare *spare = per_cpu_ptr(aoetgt_spare, cpu);

		tasklet_kill(&per_cpu(aoetgt_done, cpu).tasklet);
		while (spare->n)
			mempool_free(spare->req[--spare->n], aoetgt_request_pool);
	}
	free_percpu(aoetgt_spare);
	mempool_destroy(aoetgt_request_pool);
	kmem_cache_destroy(aoetgt_request_cache);
	/* The first round finds them used, the second does not. */
	aoetgt_pages_trim();
	aoetgt_pages_trim();
	free_percpu(aoetgt_pages);
}

/**
 * aoetgt_request_alloc() - make a request
 *
 * Context: softirq, or process with softirqs off.
 * Return: the request, its first part cleared, or NULL.
 */
struct aoetgt_request *aoetgt_request_alloc(void)
{
	struct aoetgt_spare *spare = this_cpu_ptr(aoetgt_spare);
	struct aoetgt_request *req;

	if (spare->n)
		req = spare->req[--spare->n];
	else
		req = mempool_alloc(aoetgt_request_pool, GFP_ATOMIC);
	if (!req)
		return NULL;
	memset(req, 0, offsetof(struct aoetgt_request, node));
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
		put_page(req->bvecs[--req->nr_pages].bv_page);
	req->data_len = 0;
}

/**
 * aoetgt_request_free() - free the memory of a request
 * @req: the request; its references have been put
 *
 * Context: softirqs off.
 */
void aoetgt_request_free(struct aoetgt_request *req)
{
	struct aoetgt_spare *spare = this_cpu_ptr(aoetgt_spare);

	aoetgt_request_no_pages(req);
	consume_skb(req->skb);
	/* The pool's reserve, from which every CPU can take, comes first. */
	if (spare->n < AOETGT_SPARE &&
	    READ_ONCE(aoetgt_request_pool->curr_nr) >= aoetgt_request_pool->min_nr)
		spare->req[spare->n++] = req;
	else
		mempool_free(req, aoetgt_request_pool);
}

/* Whoever had it has let go of it. */
static bool aoetgt_page_is_free(const struct page *page)
{
	return page && page_ref_count(page) == 1;
}

/* Return: a page that has come back, held for the caller; NULL if none has. */
static struct page *aoetgt_page_recycle(struct aoetgt_pages *pages)
{
	struct page *page;

	spin_lock(&pages->lock);
	/* Where little is under way, the same few pages stay in the CPU's cache. */
	if (pages->next == AOETGT_PAGES_KEPT || aoetgt_page_is_free(pages->page[0]))
		pages->next = 0;
	page = pages->page[pages->next];
	if (aoetgt_page_is_free(page)) {
		get_page(page);
		pages->next++;
	} else {
		page = NULL;
	}
	pages->used = true;
	spin_unlock(&pages->lock);
	return page;
}

/* Keep a new page in the place of one that does not come back. */
static void aoetgt_page_keep(struct aoetgt_pages *pages, struct page *page)
{
	struct page *old = NULL;

	get_page(page);
	spin_lock(&pages->lock);
	if (pages->next < AOETGT_PAGES_KEPT) {
		swap(pages->page[pages->next], page);
		pages->next++;
	}
	old = page;
	spin_unlock(&pages->lock);
	if (old)
		put_page(old);
}

static struct page *aoetgt_page_get(void)
{
	/* Perhaps of another CPU soon, which does no harm. */
	struct aoetgt_pages *pages = raw_cpu_ptr(aoetgt_pages);
	struct page *page = aoetgt_page_recycle(pages);

	if (page)
		return page;
	page = alloc_page(GFP_NOIO | __GFP_NOWARN);
	if (page)
		aoetgt_page_keep(pages, page);
	return page;
}

static void aoetgt_pages_drop(struct aoetgt_pages *pages)
{
	unsigned int i;

	lockdep_assert_held(&pages->lock);
	for (i = 0; i < AOETGT_PAGES_KEPT && pages->page[i]; i++) {
		put_page(pages->page[i]);
		pages->page[i] = NULL;
	}
	pages->next = 0;
}

/**
 * aoetgt_pages_trim() - give pages back that nobody has asked for of late
 *
 * Context: process; called now and then.
 */
void aoetgt_pages_trim(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct aoetgt_pages *pages = per_cpu_ptr(aoetgt_pages, cpu);

		spin_lock(&pages->lock);
		if (!pages->used)
			aoetgt_pages_drop(pages);
		pages->used = false;
		spin_unlock(&pages->lock);
	}
}

/**
 * aoetgt_request_pages() - give a request pages for its data
 * @req: the request, without pages
 * @len: bytes, at most AOETGT_PAGES pages
 *
 * The pages are not cleared: whoever answers with them fills all @len bytes.
 *
 * Context: process, the worker, may sleep; it forbids I/O for allocations.
 * Return: false when there is no memory.
 */
bool aoetgt_request_pages(struct aoetgt_request *req, unsigned int len)
{
	unsigned int left, part;

	for (left = len; left; left -= part) {
		struct page *page = aoetgt_page_get();

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
 * @req: the request; the frame has been found long enough
 * @skip: where in its pages the data belong, less than a page, in bytes
 * @len: bytes; there are pages for so many and @skip
 *
 * Context: process or softirq.
 * Return: false when the frame is not readable.
 */
bool aoetgt_request_payload(struct aoetgt_request *req, unsigned int skip, unsigned int len)
{
	unsigned int at = sizeof(struct aoe_hdr) + sizeof(struct aoe_ata);
	struct bio_vec *bv;
	unsigned int part;

	for (bv = req->bvecs; len; bv++) {
		part = min(len, bv->bv_len - skip);
		if (skb_copy_bits(req->skb, at, page_address(bv->bv_page) + skip, part))
			return false;
		at += part;
		len -= part;
		skip = 0;
	}
	consume_skb(req->skb);
	req->skb = NULL;
	return true;
}

/**
 * aoetgt_request_crop() - of the data in the pages, keep what the client asked for
 * @req: the request; no I/O is under way
 * @skip: bytes before, less than the first page has
 * @len: bytes to keep; with @skip they end in the last page
 */
void aoetgt_request_crop(struct aoetgt_request *req, unsigned int skip, unsigned int len)
{
	struct bio_vec *last = &req->bvecs[req->nr_pages - 1];

	last->bv_len -= req->data_len - skip - len;
	req->bvecs[0].bv_offset += skip;
	req->bvecs[0].bv_len -= skip;
	req->data_len = len;
}

/**
 * aoetgt_requests_answer() - answer requests whose I/O has ended
 * @newest: a list of them by their nodes, the newest first; may be NULL
 *
 * The replies leave together.
 *
 * Context: process or softirq.
 */
void aoetgt_requests_answer(struct llist_node *newest)
{
	struct aoetgt_request *req, *next;

	local_bh_disable();
	llist_for_each_entry_safe(req, next, llist_reverse_order(newest), node)
		req->done(req);
	local_bh_enable();
}

/**
 * aoetgt_requests_hand_over() - have softirq answer requests
 * @newest: as for aoetgt_requests_answer(), not NULL
 *
 * Context: any, hard interrupt included.
 */
void aoetgt_requests_hand_over(struct llist_node *newest)
{
	struct aoetgt_done *done = get_cpu_ptr(&aoetgt_done);
	struct llist_node *oldest = newest;

	while (oldest->next)
		oldest = oldest->next;
	if (llist_add_batch(newest, oldest, &done->list))
		tasklet_schedule(&done->tasklet);
	put_cpu_ptr(&aoetgt_done);
}

/**
 * aoetgt_request_complete() - the I/O of a request has ended
 * @req: the request, status set
 *
 * Hands it to whoever answers: the thread if this is its own submission that
 * ended on the spot, else the tasklet.
 *
 * Context: any, hard interrupt included.
 */
void aoetgt_request_complete(struct aoetgt_request *req)
{
	req->t_end = local_clock();
	req->atomic = true;
	if (aoetgt_worker_keeps(req))
		return;
	req->node.next = NULL;
	aoetgt_requests_hand_over(&req->node);
}

/**
 * aoetgt_request_again() - have the worker go on with a request
 * @req: the request, owned by the caller
 * @start: what it has to do
 *
 * Context: softirqs off.
 */
void aoetgt_request_again(struct aoetgt_request *req, void (*start)(struct aoetgt_request *req))
{
	struct aoetgt_target *t = req->target;

	req->start = start;
	req->atomic = false;
	/* The request, and its hold on the target, may be gone once it is on the list. */
	percpu_ref_get(&t->disk.refs);
	if (llist_add(&req->node, &t->rx))
		aoetgt_target_kick(t);
	percpu_ref_put(&t->disk.refs);
}
