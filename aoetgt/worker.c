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
 * the policy that those have.  What the last runs of a target found decides;
 * now and then a run is spent on finding out whether that has changed.
 *
 * A submission may block, for as long as a dead disk pleases.  When all
 * threads of a crew are blocked, targets go to a workqueue, which makes a new
 * thread for each.
 */
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>
#include <uapi/linux/sched/types.h>

#include "aoetgt.h"

#define AOETGT_WORKERS_MAX	16	/* one receive queue does not feed more */
#define AOETGT_RESCUE_DELAY	1	/* jiffies */
#define AOETGT_ALONE		4	/* runs with one request, and there are no batches */
#define AOETGT_ALONE_PROBE	64	/* so many later, see whether there are now */

struct aoetgt_worker {
	struct task_struct *task;
	struct aoetgt_crew *crew;
	struct list_head idle;		/* in crew->idle while it has nothing to do */
	struct aoetgt_target *target;	/* in state AOETGT_RUN_NOW; NULL while idle */
};

struct aoetgt_crew {
	const char *name;
	void (*set_policy)(struct task_struct *task);
	struct list_head ready;		/* targets in state AOETGT_RUN_READY, oldest first */
	struct list_head idle;		/* threads, the one that worked last first */
	struct aoetgt_worker worker[AOETGT_WORKERS_MAX];
	unsigned int nr_workers;
	struct delayed_work rescue;
};

static void aoetgt_set_patient(struct task_struct *task);

static struct aoetgt_crew aoetgt_patient = { "patient", aoetgt_set_patient };
static struct aoetgt_crew aoetgt_prompt = { "prompt", sched_set_fifo_low };

/* Guards the lists of both crews, and ready and run of every target.  Taken in softirq. */
static DEFINE_SPINLOCK(aoetgt_workers_lock);
static bool (*aoetgt_run)(struct aoetgt_target *t);

static struct aoetgt_crew *aoetgt_crew_for(struct aoetgt_target *t)
{
	return READ_ONCE(t->alone) < AOETGT_ALONE ? &aoetgt_patient : &aoetgt_prompt;
}

/* A guess, since they run on meanwhile; aoetgt_rescue() looks again. */
static bool aoetgt_crew_blocked(struct aoetgt_crew *crew)
{
	unsigned int i;

	for (i = 0; i < crew->nr_workers; i++)
		if (task_is_running(crew->worker[i].task))
			return false;
	return true;
}

/* Give the target to a thread that is idle.  Return: false if none is. */
static bool aoetgt_crew_take(struct aoetgt_crew *crew, struct aoetgt_target *t)
{
	struct aoetgt_worker *w;

	lockdep_assert_held(&aoetgt_workers_lock);
	w = list_first_entry_or_null(&crew->idle, struct aoetgt_worker, idle);
	if (!w)
		return false;
	list_del(&w->idle);
	t->run = AOETGT_RUN_NOW;
	WRITE_ONCE(w->target, t);
	/* Under the lock, so that nobody takes it for blocked in between. */
	wake_up_process(w->task);
	return true;
}

static void aoetgt_make_ready(struct aoetgt_target *t)
{
	struct aoetgt_crew *crew = aoetgt_crew_for(t);

	lockdep_assert_held(&aoetgt_workers_lock);
	if (aoetgt_crew_take(crew, t))
		return;
	t->run = AOETGT_RUN_READY;
	if (aoetgt_crew_blocked(crew)) {
		queue_work(aoetgt_wq, &t->work);
		return;
	}
	list_add_tail(&t->ready, &crew->ready);
	queue_delayed_work(aoetgt_wq, &crew->rescue, AOETGT_RESCUE_DELAY);
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
		queue_delayed_work(aoetgt_wq, &crew->rescue, AOETGT_RESCUE_DELAY);
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
 * Context: process or softirq.
 */
void aoetgt_target_kick(struct aoetgt_target *t)
{
	spin_lock_bh(&aoetgt_workers_lock);
	if (t->run == AOETGT_RUN_IDLE)
		aoetgt_make_ready(t);
	else if (t->run == AOETGT_RUN_NOW)
		t->run = AOETGT_RUN_AGAIN;
	spin_unlock_bh(&aoetgt_workers_lock);
}

/**
 * aoetgt_target_had() - learn from a run how to do the next one
 * @t: the target, by the thread that runs it
 * @n: new requests that the run has found
 *
 * Context: process.
 */
void aoetgt_target_had(struct aoetgt_target *t, unsigned int n)
{
	unsigned int alone = n > 1 ? 0 : t->alone + 1;

	if (!n)
		return;
	if (alone == AOETGT_ALONE + AOETGT_ALONE_PROBE)
		alone = AOETGT_ALONE - 1;
	WRITE_ONCE(t->alone, alone);
}

static void aoetgt_target_work(struct work_struct *work)
{
	struct aoetgt_target *t = container_of(work, struct aoetgt_target, work);
	unsigned int noio = memalloc_noio_save();
	bool more;

	spin_lock_bh(&aoetgt_workers_lock);
	t->run = AOETGT_RUN_NOW;
	spin_unlock_bh(&aoetgt_workers_lock);
	more = aoetgt_run(t);
	spin_lock_bh(&aoetgt_workers_lock);
	if (more || t->run == AOETGT_RUN_AGAIN)
		aoetgt_make_ready(t);
	else
		t->run = AOETGT_RUN_IDLE;
	spin_unlock_bh(&aoetgt_workers_lock);
	/* It may be gone: only its address is used, by aoetgt_target_forget(). */
	wake_up_var(&t->run);
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

/* The target of a thread has more to do: it queues up again, behind others. */
static void aoetgt_worker_requeue(struct aoetgt_worker *w, struct aoetgt_target *t)
{
	lockdep_assert_held(&aoetgt_workers_lock);
	if (aoetgt_crew_for(t) != w->crew)
		return aoetgt_make_ready(t);
	/* Not by way of an idle thread: this one is awake, and looks there next. */
	t->run = AOETGT_RUN_READY;
	list_add_tail(&t->ready, &w->crew->ready);
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
	if (!list_empty(&crew->ready))
		queue_delayed_work(aoetgt_wq, &crew->rescue, AOETGT_RESCUE_DELAY);
	return t;
}

/* A thread has run its target; without another one it counts as idle. */
static void aoetgt_worker_next(struct aoetgt_worker *w, bool more)
{
	struct aoetgt_target *t = w->target;

	spin_lock_bh(&aoetgt_workers_lock);
	if (more || t->run == AOETGT_RUN_AGAIN)
		aoetgt_worker_requeue(w, t);
	else
		t->run = AOETGT_RUN_IDLE;
	w->target = aoetgt_crew_next(w->crew);
	if (!w->target)
		list_add(&w->idle, &w->crew->idle);
	spin_unlock_bh(&aoetgt_workers_lock);
	/* It may be gone: only its address is used, by aoetgt_target_forget(). */
	wake_up_var(&t->run);
}

static int aoetgt_worker_main(void *data)
{
	unsigned int noio = memalloc_noio_save();
	struct aoetgt_worker *w = data;

	for (;;) {
		set_current_state(TASK_IDLE);
		if (READ_ONCE(w->target)) {
			__set_current_state(TASK_RUNNING);
			aoetgt_worker_next(w, aoetgt_run(w->target));
			cond_resched();
			continue;
		}
		if (kthread_should_stop())
			break;
		schedule();
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
	w->target = NULL;
	w->task = kthread_create(aoetgt_worker_main, w, "aoetgt_%s/%u", crew->name,
				 crew->nr_workers);
	if (IS_ERR(w->task))
		return PTR_ERR(w->task);
	crew->nr_workers++;
	crew->set_policy(w->task);
	list_add(&w->idle, &crew->idle);
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
	INIT_LIST_HEAD(&crew->idle);
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
