// SPDX-License-Identifier: GPL-2.0
/*
 * Who works for targets.
 *
 * A target that has something to do is kicked; then one thread at a time runs
 * it, so that arrival order is kept without a lock on the way.  The threads
 * are not bound: network cards put all AoE frames into one receive queue, and
 * the scheduler finds another CPU near the one that serves it.
 *
 * There are two crews.  The patient threads have the policy SCHED_BATCH, so
 * they never preempt whoever wakes them: where the receiver and the thread
 * have to share a CPU, frames pile up until the receiver is done, and are
 * worked off together instead of costing two context switches each.  A client
 * that sends one frame and waits has nothing to pile up, and is better served
 * at once, by the prompt threads, which do what an interrupt thread does, with
 * the policy that those have.  What the last rounds found, of all targets,
 * decides, since a client of many targets has batches, too, and what else was
 * in flight; now and then a round is spent on finding out whether that has changed.
 *
 * A thread works in rounds: it runs targets under one plug, so that requests
 * that are neighbours reach their device together, and answers what has ended
 * when there is nothing more to run.  If it has to sleep, it hands that over to
 * softirq first, so that nobody waits for the disk of somebody else.  A patient
 * thread that finds others waiting for its CPU naps before a round, so that a
 * client on the same machine can send all it has.
 *
 * A submission may block, for as long as a dead disk pleases: its target waits,
 * all views included, and no other.  When all threads of a crew are blocked,
 * targets go to a workqueue, which makes a new thread for each.
 */
#include <linux/blkdev.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/stat.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>
#include <uapi/linux/sched/types.h>

#include "aoetgt.h"

#define AOETGT_WORKERS_MAX	16	/* one receive queue does not feed more */
#define AOETGT_RESCUE_DELAY	1	/* jiffies */
#define AOETGT_ROUND		64	/* requests; replies do not wait for more */
#define AOETGT_NAP_US		100	/* to 200: what a batch may cost its first request */
#define AOETGT_NAP_ENDS		8	/* requests: enough not to wait for more */
#define AOETGT_ALONE		4	/* rounds of one request, and there are no batches */
#define AOETGT_ALONE_PROBE	256	/* so many later, see whether there are now */

struct aoetgt_worker {
	struct task_struct *task;
	struct aoetgt_crew *crew;
	unsigned long bit;		/* in crew->idle while it has nothing to do */
	struct aoetgt_target *target;	/* in state AOETGT_RUN_NOW; NULL while idle */

	bool naps;			/* sleeps, but not for a disk */

	/* Its round: its own. */
	bool plugged;
	unsigned int requests;		/* new ones */
	bool busy;			/* its targets have more in flight than one request */
	struct blk_plug plug;
	struct blk_plug_cb cb;		/* in plug while there is something in done */
	struct llist_head done;		/* requests that ended on the spot, newest first */
};

struct aoetgt_crew {
	const char *name;
	void (*set_policy)(struct task_struct *task);
	bool plugs;			/* or else a round is one target's run, without a plug */
	struct list_head ready;		/* targets in state AOETGT_RUN_READY, oldest first */
	unsigned long idle;		/* threads without a target */
	struct aoetgt_worker worker[AOETGT_WORKERS_MAX];
	unsigned int nr_workers;
	struct delayed_work rescue;
};

static int aoetgt_worker_main(void *data);
static void aoetgt_set_patient(struct task_struct *task);

static struct aoetgt_crew aoetgt_patient = { "patient", aoetgt_set_patient, true };
static struct aoetgt_crew aoetgt_prompt = { "prompt", sched_set_fifo_low, false };

/*
 * Guards the lists of both crews, aoetgt_alone, and ready, run and forgotten of
 * every target.  Taken in softirq.
 */
static DEFINE_SPINLOCK(aoetgt_workers_lock);
static unsigned int aoetgt_alone;	/* rounds, one after the other, of one request */
static unsigned int (*aoetgt_run)(struct aoetgt_target *t);

static struct aoetgt_crew *aoetgt_crew_now(void)
{
	return aoetgt_alone < AOETGT_ALONE ? &aoetgt_patient : &aoetgt_prompt;
}

/*
 * Learn from a round how to do the next one.  A thread that keeps up with its client finds
 * one request at a time, too, but while others of that target are in flight.
 */
static void aoetgt_learn(struct aoetgt_worker *w)
{
	lockdep_assert_held(&aoetgt_workers_lock);
	if (w->requests > 1 || w->busy)
		aoetgt_alone = 0;
	else if (w->requests && ++aoetgt_alone == AOETGT_ALONE + AOETGT_ALONE_PROBE)
		aoetgt_alone = AOETGT_ALONE - 1;
	w->requests = 0;
	w->busy = false;
}

/* A guess, since they run on meanwhile; aoetgt_rescue() looks again. */
static bool aoetgt_crew_blocked(struct aoetgt_crew *crew)
{
	unsigned int i;

	for (i = 0; i < crew->nr_workers; i++)
		if (task_is_running(crew->worker[i].task) || READ_ONCE(crew->worker[i].naps))
			return false;
	return true;
}

/* Targets wait: see now and then whether all threads are blocked. */
static void aoetgt_crew_watch(struct aoetgt_crew *crew)
{
	if (!delayed_work_pending(&crew->rescue))
		queue_delayed_work(aoetgt_wq, &crew->rescue, AOETGT_RESCUE_DELAY);
}

/* Give the target to a thread that is idle.  Return: false if none is. */
static bool aoetgt_crew_take(struct aoetgt_crew *crew, struct aoetgt_target *t)
{
	struct aoetgt_worker *w;

	lockdep_assert_held(&aoetgt_workers_lock);
	if (!crew->idle)
		return false;
	/* The first few have the work, and warm caches, if they can do it all. */
	w = &crew->worker[__ffs(crew->idle)];
	crew->idle &= ~w->bit;
	t->run = AOETGT_RUN_NOW;
	WRITE_ONCE(w->target, t);
	/* Under the lock, so that nobody takes it for blocked in between. */
	wake_up_process(w->task);
	return true;
}

static void aoetgt_make_ready(struct aoetgt_target *t)
{
	struct aoetgt_crew *crew = aoetgt_crew_now();

	lockdep_assert_held(&aoetgt_workers_lock);
	if (aoetgt_crew_take(crew, t))
		return;
	t->run = AOETGT_RUN_READY;
	/* Where others wait already, somebody watches. */
	if (list_empty(&crew->ready)) {
		if (aoetgt_crew_blocked(crew)) {
			queue_work(aoetgt_wq, &t->work);
			return;
		}
		aoetgt_crew_watch(crew);
	}
	list_add_tail(&t->ready, &crew->ready);
}

/* Targets wait for a thread: let them not wait for threads that wait for disks. */
static void aoetgt_rescue(struct work_struct *work)
{
	struct aoetgt_crew *crew = container_of(work, struct aoetgt_crew, rescue.work);
	struct aoetgt_target *t, *next;

	spin_lock_bh(&aoetgt_workers_lock);
	if (aoetgt_crew_blocked(crew))
		list_for_each_entry_safe(t, next, &crew->ready, ready) {
			list_del_init(&t->ready);
			queue_work(aoetgt_wq, &t->work);
		}
	if (!list_empty(&crew->ready))
		aoetgt_crew_watch(crew);
	spin_unlock_bh(&aoetgt_workers_lock);
}

/**
 * aoetgt_target_kick() - a target has something to do
 * @t: the target; the caller has put it where the worker will find it
 *
 * The caller holds disk.refs, or has found the target under RCU and is still
 * in the same section: the drain, which comes before the end of the target,
 * waits for that section, too.
 *
 * Context: softirqs off.
 */
void aoetgt_target_kick(struct aoetgt_target *t)
{
	spin_lock(&aoetgt_workers_lock);
	if (t->run == AOETGT_RUN_IDLE)
		aoetgt_make_ready(t);
	else if (t->run == AOETGT_RUN_NOW)
		t->run = AOETGT_RUN_AGAIN;
	spin_unlock(&aoetgt_workers_lock);
}

/* A run of the target is over: it queues up again if there is more to do. */
static void aoetgt_target_leave(struct aoetgt_target *t, struct aoetgt_worker *w)
{
	lockdep_assert_held(&aoetgt_workers_lock);
	/* rx: a kick while it was ready leaves no trace, and the run may not have got there. */
	if (!t->todo && llist_empty(&t->rx) && t->run == AOETGT_RUN_NOW) {
		t->run = AOETGT_RUN_IDLE;
		/* Under the lock: whoever waits takes it before the target goes. */
		if (t->forgotten)
			wake_up_var(&t->run);
	} else if (w && aoetgt_crew_now() == w->crew) {
		/* Not by way of an idle thread: this one is awake, and looks there next. */
		t->run = AOETGT_RUN_READY;
		list_add_tail(&t->ready, &w->crew->ready);
	} else {
		aoetgt_make_ready(t);
	}
}

static void aoetgt_target_work(struct work_struct *work)
{
	struct aoetgt_target *t = container_of(work, struct aoetgt_target, work);
	unsigned int noio = memalloc_noio_save();
	struct blk_plug plug;

	spin_lock_bh(&aoetgt_workers_lock);
	t->run = AOETGT_RUN_NOW;
	spin_unlock_bh(&aoetgt_workers_lock);
	blk_start_plug(&plug);
	aoetgt_run(t);
	blk_finish_plug(&plug);
	spin_lock_bh(&aoetgt_workers_lock);
	aoetgt_target_leave(t, NULL);
	spin_unlock_bh(&aoetgt_workers_lock);
	memalloc_noio_restore(noio);
}

/**
 * aoetgt_target_idle() - make a new target one without anything to do
 * @t: the target
 *
 * Context: any.
 */
void aoetgt_target_idle(struct aoetgt_target *t)
{
	t->run = AOETGT_RUN_IDLE;
	INIT_LIST_HEAD(&t->ready);
	INIT_WORK(&t->work, aoetgt_target_work);
}

static bool aoetgt_target_forgotten(struct aoetgt_target *t)
{
	bool idle;

	spin_lock_bh(&aoetgt_workers_lock);
	if (!list_empty(&t->ready)) {
		list_del_init(&t->ready);
		t->run = AOETGT_RUN_IDLE;
	}
	idle = t->run == AOETGT_RUN_IDLE;
	t->forgotten = !idle;
	spin_unlock_bh(&aoetgt_workers_lock);
	return idle;
}

/**
 * aoetgt_target_forget() - no thread touches the target any more
 * @t: the target, drained
 *
 * Context: process, sleeps, but not for I/O.
 */
void aoetgt_target_forget(struct aoetgt_target *t)
{
	wait_var_event(&t->run, aoetgt_target_forgotten(t));
}

/* Return: the target that has waited longest, or NULL. */
static struct aoetgt_target *aoetgt_crew_next(struct aoetgt_crew *crew)
{
	struct aoetgt_target *t;

	lockdep_assert_held(&aoetgt_workers_lock);
	t = list_first_entry_or_null(&crew->ready, struct aoetgt_target, ready);
	if (!t)
		return NULL;
	list_del_init(&t->ready);
	t->run = AOETGT_RUN_NOW;
	return t;
}

/* The current thread, if it is one of ours and not interrupted. */
static struct aoetgt_worker *aoetgt_worker_self(void)
{
	if (in_task() && kthread_func(current) == aoetgt_worker_main)
		return kthread_data(current);
	return NULL;
}

/* The round is over, or its thread is about to sleep. */
static void aoetgt_worker_unplug(struct blk_plug_cb *cb, bool from_schedule)
{
	struct aoetgt_worker *w = container_of(cb, struct aoetgt_worker, cb);
	struct llist_node *done = __llist_del_all(&w->done);

	if (from_schedule)
		aoetgt_requests_hand_over(done);
	else
		aoetgt_requests_answer(done);
}

/**
 * aoetgt_worker_keeps() - leave a request whose I/O has ended to this thread
 * @req: the request
 *
 * Context: any, hard interrupt included.
 * Return: false if this is none of the threads, within its round.
 */
bool aoetgt_worker_keeps(struct aoetgt_request *req)
{
	struct aoetgt_worker *w = aoetgt_worker_self();

	if (!w)
		return false;
	/* Nobody but this thread uses the list. */
	if (__llist_add(&req->node, &w->done) && w->plugged)
		list_add(&w->cb.list, &w->plug.cb_list);
	return true;
}

static void aoetgt_worker_end_round(struct aoetgt_worker *w)
{
	if (w->plugged) {
		/*
		 * Before the callbacks of drivers: if one of those sleeps, ours is on the
		 * flush's own list, where the scheduler does not find it.
		 */
		if (!llist_empty(&w->done)) {
			list_del(&w->cb.list);
			aoetgt_requests_answer(__llist_del_all(&w->done));
		}
		blk_finish_plug(&w->plug);
		w->plugged = false;
	}
	/* What was done without a plug, or had waited for its end. */
	if (!llist_empty(&w->done))
		aoetgt_requests_answer(__llist_del_all(&w->done));
}

/* Leave the target, and go on to the next; without one the thread is idle. */
static void aoetgt_worker_next(struct aoetgt_worker *w)
{
	spin_lock_bh(&aoetgt_workers_lock);
	if (!w->plugged)
		aoetgt_learn(w);
	if (w->target)
		aoetgt_target_leave(w->target, w);
	w->target = aoetgt_crew_next(w->crew);
	if (!w->target && !w->plugged)
		w->crew->idle |= w->bit;
	spin_unlock_bh(&aoetgt_workers_lock);
}

/*
 * The round ends, and some of its requests may be for a disk that is dead: the target
 * that this thread has must not wait for that, whether it has run, as the last of the
 * round, or not, since it shares none.  Then it may have more to do than its lists show.
 */
static void aoetgt_worker_let_go(struct aoetgt_worker *w, bool ran)
{
	spin_lock_bh(&aoetgt_workers_lock);
	if (ran)
		aoetgt_target_leave(w->target, w);
	else
		aoetgt_make_ready(w->target);
	w->target = NULL;
	if (!list_empty(&w->crew->ready))
		aoetgt_crew_watch(w->crew);
	spin_unlock_bh(&aoetgt_workers_lock);
}

/*
 * Is there enough to do already?  Only the target's own thread takes from its lists.
 * ready is looked at without its lock: a nap too many or too few is no mistake.
 */
static bool aoetgt_worker_has_batch(const struct aoetgt_worker *w)
{
	const struct llist_node *node = READ_ONCE(w->target->rx.first);
	unsigned int n;

	for (n = 0; node && n < AOETGT_NAP_ENDS; n++)
		node = node->next;
	return n == AOETGT_NAP_ENDS || w->target->todo || !list_empty(&w->crew->ready);
}

/*
 * Somebody else wants this CPU, perhaps the client, to send more: let it, since
 * the scheduler would have this thread go first, for each single request.  Not
 * while other targets wait: theirs and this one's are a batch.
 */
static void aoetgt_worker_nap(struct aoetgt_worker *w)
{
	if (single_task_running() || hrtimer_resolution > NSEC_PER_USEC ||
	    aoetgt_worker_has_batch(w))
		return;
	WRITE_ONCE(w->naps, true);
	usleep_range_state(AOETGT_NAP_US, 2 * AOETGT_NAP_US, TASK_IDLE);
	WRITE_ONCE(w->naps, false);
}

/*
 * A driver that sleeps has a plug to itself.  A run without requests for the disk ends
 * the round: a flood of other frames would keep those that wait in the plug there.
 */
static void aoetgt_worker_turn(struct aoetgt_worker *w)
{
	struct aoetgt_target *t = w->target;
	bool alone = t && READ_ONCE(t->blocks);
	bool shared = w->plugged && !alone;
	unsigned int requests = 0;

	if (w->plugged && alone) {
		aoetgt_worker_let_go(w, false);
		aoetgt_worker_end_round(w);
		return aoetgt_worker_next(w);
	}
	if (w->crew->plugs && !w->plugged) {
		aoetgt_worker_nap(w);
		blk_start_plug(&w->plug);
		w->plugged = true;
	}
	if (t) {
		requests = aoetgt_run(t);
		w->busy |= requests && atomic_read(&t->in_flight) > 1;
	}
	w->requests += requests;
	/* A guess without the lock; aoetgt_worker_next() looks again. */
	if (!requests || !w->plugged || alone || w->requests >= AOETGT_ROUND ||
	    list_empty(&w->crew->ready)) {
		if (t && shared)
			aoetgt_worker_let_go(w, true);
		aoetgt_worker_end_round(w);
		cond_resched();
	}
	aoetgt_worker_next(w);
}

static int aoetgt_worker_main(void *data)
{
	unsigned int noio = memalloc_noio_save();
	struct aoetgt_worker *w = data;

	for (;;) {
		while (READ_ONCE(w->target) || w->plugged)
			aoetgt_worker_turn(w);
		set_current_state(TASK_IDLE);
		if (!READ_ONCE(w->target)) {
			if (kthread_should_stop())
				break;
			schedule();
		}
		__set_current_state(TASK_RUNNING);
	}
	__set_current_state(TASK_RUNNING);
	memalloc_noio_restore(noio);
	return 0;
}

/* It does not preempt, but once it runs nobody's batch is to wait for a shell's. */
static void aoetgt_set_patient(struct task_struct *task)
{
	const struct sched_attr attr = {
		.size = sizeof(attr),
		.sched_policy = SCHED_BATCH,
		.sched_nice = MIN_NICE,
	};

	WARN_ON_ONCE(sched_setattr_nocheck(task, &attr));
}

static int aoetgt_crew_hire(struct aoetgt_crew *crew)
{
	struct aoetgt_worker *w = &crew->worker[crew->nr_workers];

	w->crew = crew;
	w->bit = BIT(crew->nr_workers);
	w->target = NULL;
	w->cb.callback = aoetgt_worker_unplug;
	w->task = kthread_create(aoetgt_worker_main, w, "aoetgt_%s/%u", crew->name,
				 crew->nr_workers);
	if (IS_ERR(w->task))
		return PTR_ERR(w->task);
	crew->nr_workers++;
	crew->set_policy(w->task);
	crew->idle |= w->bit;
	wake_up_process(w->task);
	return 0;
}

static void aoetgt_crew_exit(struct aoetgt_crew *crew)
{
	cancel_delayed_work_sync(&crew->rescue);
	while (crew->nr_workers)
		kthread_stop(crew->worker[--crew->nr_workers].task);
}

static int aoetgt_crew_init(struct aoetgt_crew *crew)
{
	unsigned int n = min_t(unsigned int, num_online_cpus(), AOETGT_WORKERS_MAX);
	int err = 0;

	INIT_LIST_HEAD(&crew->ready);
	INIT_DELAYED_WORK(&crew->rescue, aoetgt_rescue);
	while (crew->nr_workers < n && !err)
		err = aoetgt_crew_hire(crew);
	if (err)
		aoetgt_crew_exit(crew);
	return err;
}

/**
 * aoetgt_workers_init() - start the threads
 * @ops: what they do
 *
 * Context: process.
 * Return: 0 or -errno.
 */
int aoetgt_workers_init(const struct aoetgt_ops *ops)
{
	int err;

	aoetgt_run = ops->run;
	err = aoetgt_crew_init(&aoetgt_patient);
	if (err)
		return err;
	err = aoetgt_crew_init(&aoetgt_prompt);
	if (err)
		aoetgt_crew_exit(&aoetgt_patient);
	return err;
}

/**
 * aoetgt_workers_exit() - undo aoetgt_workers_init(); no targets are left
 *
 * Context: process, sleeps.
 */
void aoetgt_workers_exit(void)
{
	aoetgt_crew_exit(&aoetgt_prompt);
	aoetgt_crew_exit(&aoetgt_patient);
}
