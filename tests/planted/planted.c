// SPDX-License-Identifier: GPL-2.0
/*
 * Planted bugs: one of each kind that the debug kernel must report. A test
 * run that stays silent proves something only if these do not.
 *
 * Write a bug's name to the parameter "bug"; loading alone does no harm.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

static struct kmem_cache *planted_cache;
static DEFINE_MUTEX(lock_a);
static DEFINE_MUTEX(lock_b);
static DEFINE_SPINLOCK(spin);

static int use_after_free(void)
{
	/* volatile, or the compiler sees through it. */
	char *volatile p = kmem_cache_alloc(planted_cache, GFP_KERNEL);
	char c;

	if (!p)
		return -ENOMEM;
	kmem_cache_free(planted_cache, p);
	c = READ_ONCE(p[3]);
	pr_info("read %d after free\n", c);
	return 0;
}

/* No deadlock happens: that it could is what lockdep has to notice. */
static int lock_inversion(void)
{
	mutex_lock(&lock_a);
	mutex_lock(&lock_b);
	mutex_unlock(&lock_b);
	mutex_unlock(&lock_a);

	mutex_lock(&lock_b);
	mutex_lock(&lock_a);
	mutex_unlock(&lock_a);
	mutex_unlock(&lock_b);
	return 0;
}

static int sleep_in_atomic(void)
{
	spin_lock(&spin);
	/* Says that it may sleep, but does not: that would hang the guest. */
	might_sleep();
	spin_unlock(&spin);
	return 0;
}

static int refcount(void)
{
	refcount_t r = REFCOUNT_INIT(0);

	refcount_inc(&r);
	return 0;
}

/* Nothing reports it at once; the count of slab objects and the destruction
 * of the cache when the module goes must show it.
 */
static int slab_leak(void)
{
	return kmem_cache_alloc(planted_cache, GFP_KERNEL) ? 0 : -ENOMEM;
}

static const struct {
	const char *name;
	int (*plant)(void);
} bugs[] = {
	{ "use-after-free", use_after_free },
	{ "lock-inversion", lock_inversion },
	{ "sleep-in-atomic", sleep_in_atomic },
	{ "refcount", refcount },
	{ "slab-leak", slab_leak },
};

static int bug_set(const char *val, const struct kernel_param *kp)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bugs); i++)
		if (sysfs_streq(val, bugs[i].name))
			return bugs[i].plant();
	return -EINVAL;
}

static const struct kernel_param_ops bug_ops = {
	.set = bug_set,
};
module_param_cb(bug, &bug_ops, NULL, 0200);
MODULE_PARM_DESC(bug, "name of the bug to commit");

static int __init planted_init(void)
{
	/* A constructor-free cache of its own size is not merged with others. */
	planted_cache = kmem_cache_create("aoetgt_planted", 200, 0,
					  SLAB_NO_MERGE, NULL);
	return planted_cache ? 0 : -ENOMEM;
}

static void __exit planted_exit(void)
{
	kmem_cache_destroy(planted_cache);
}

module_init(planted_init);
module_exit(planted_exit);
MODULE_DESCRIPTION("Planted bugs, to test the tests");
MODULE_LICENSE("GPL");
