/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Objects that the files of aoetgt share, and what each file offers.
 *
 * Floors, from top to bottom; includes and calls only go down:
 *
 *	main	configfs	rx	cmd_ata cmd_cfg		target view
 *	disk reply	iface bdev	order request worker stats debugfs
 *	proto ata compat
 *
 * Lock order: configfs subsystem mutex, aoetgt_target.lock,
 * aoetgt_disks_lock, RTNL, spinlocks.  aoetgt_target.wire_lock is taken by
 * the worker and by attribute files, and nothing else is taken under it.
 * RTNL is never held across disk I/O, and the notifier, which comes with RTNL
 * held, never wants a lock that a disk could hold up.
 */
#ifndef AOETGT_H
#define AOETGT_H

#include <linux/atomic.h>
#include <linux/bio.h>
#include <linux/completion.h>
#include <linux/configfs.h>
#include <linux/hashtable.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/percpu-refcount.h>
#include <linux/rbtree.h>
#include <linux/seq_file.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "ata.h"
#include "compat.h"
#include "proto.h"

#define AOETGT_VERSION		"0.1.0"
#define AOETGT_MODEL		"aoetgt"

/* A request that waited longer in our own queue is not worth its disk time. */
#define AOETGT_STALE_NS		(2 * NSEC_PER_SEC)
/* For so long clients may reckon with the MTU of before it shrank. */
#define AOETGT_SHRUNK_NS	(10ULL * NSEC_PER_SEC)
/* And for so long with a max_sectors that was lowered: Linux asks once a minute. */
#define AOETGT_LOWERED_NS	(70ULL * NSEC_PER_SEC)
#define AOETGT_BUFFERS_DEFAULT	128
#define AOETGT_BUFFERS_MIN	2	/* with less, Linux never opens its window */
#define AOETGT_BUFFERS_MAX	4096
#define AOETGT_SHARES		16	/* of the buffers; clients have them by hash */
#define AOETGT_WILD_MAX		64	/* frames that wait at an iface to be handed out */
/* One more, for sectors that begin and end within a block. */
#define AOETGT_PAGES		(DIV_ROUND_UP(AOE_SECTORS_MAX * AOE_SECTOR, PAGE_SIZE) + 1)

struct aoetgt_iface;
struct aoetgt_request;
struct aoetgt_target;

/*
 * Counters of a target: accepted = replied + every drop_*, at rest.
 * X(name) for what is done, D(name) for the reasons of drops.
 */
#define AOETGT_STATS(X, D)						\
	X(accepted) X(replied)						\
	X(reads) X(writes) X(verifies) X(flushes) X(trims)		\
	X(identifies) X(configs) X(masks) X(reserves) X(other)		\
	X(read_sectors) X(write_sectors) X(ata_errors) X(aoe_errors)	\
	D(drop_masked) D(drop_version) D(drop_command) D(drop_short)	\
	D(drop_wildcard) D(drop_busy) D(drop_draining) D(drop_stale)	\
	D(drop_no_match) D(drop_rate) D(drop_memory) D(drop_resource)	\
	D(drop_mtu) D(drop_interface) D(drop_xmit)

#define AOETGT_STAT_ENUM(name)	AOETGT_STAT_##name,
enum aoetgt_stat {
	AOETGT_STATS(AOETGT_STAT_ENUM, AOETGT_STAT_ENUM)
	AOETGT_STAT_NR,
	AOETGT_STAT_DROPS = AOETGT_STAT_drop_masked,	/* this and all behind it */
};

/* Frames that never reached a target are counted where they came in. */
#define AOETGT_IFACE_STATS(X)						\
	X(frames) X(drop_otherhost) X(drop_short) X(drop_response)	\
	X(drop_source) X(drop_no_target) X(drop_backlog) X(drop_memory)

#define AOETGT_IFACE_STAT_ENUM(name)	AOETGT_IFACE_##name,
enum aoetgt_iface_stat {
	AOETGT_IFACE_STATS(AOETGT_IFACE_STAT_ENUM)
	AOETGT_IFACE_STAT_NR,
};

enum aoetgt_span { AOETGT_QUEUE, AOETGT_DISK, AOETGT_TOTAL, AOETGT_SPANS };

#define AOETGT_LATENCY_ROWS	32	/* powers of two, in microseconds */
#define AOETGT_CLIENTS_MAX	64	/* per target; the longest silent one gives way */

struct aoetgt_client {
	struct list_head node;
	u8 mac[ETH_ALEN];
	u32 iface_id;			/* of ifname, to compare quickly */
	char ifname[IFNAMSIZ];
	unsigned long seen;		/* jiffies */
	u64 requests;
	u64 bytes;
	u64 errors;
};

struct aoetgt_stats {
	atomic64_t count[AOETGT_STAT_NR];
	spinlock_t lock;		/* guards all below; softirq */
	u64 latency[AOETGT_LATENCY_ROWS][AOETGT_SPANS];
	struct list_head clients;	/* latest first */
	unsigned int nr_clients;
};

/* Does a thread run this target, or will one? */
enum aoetgt_run {
	AOETGT_RUN_IDLE,
	AOETGT_RUN_READY,		/* waits for a thread */
	AOETGT_RUN_NOW,
	AOETGT_RUN_AGAIN,		/* runs, and was kicked meanwhile */
};

/* In what way a request needs others to be out of its way, see order.c. */
enum aoetgt_order_kind {
	AOETGT_ORDER_READ,
	AOETGT_ORDER_WRITE,
	AOETGT_ORDER_FLUSH,		/* after the writes before it */
	AOETGT_ORDER_BARRIER,		/* after the reads and writes before it */
};

/* Arrival order of requests on the disks of one target. */
struct aoetgt_order {
	spinlock_t lock;		/* guards all of it, and reads of its disks; softirq */
	struct rb_root_cached ranges;
	struct list_head ready;		/* waited, and need not wait any more */
	struct list_head behind_reads;	/* wait for counted reads, perhaps for more */
	unsigned int reads;		/* under way, counted only */
	u64 seq;			/* of the latest arrival */
};

/* A request's place in it. */
struct aoetgt_place {
	struct rb_node rb;
	struct list_head ready;
	u64 first;			/* sectors, both inclusive */
	u64 last;
	u64 subtree_last;
	u64 seq;
	unsigned int waits;		/* requests that must leave before we start */
	struct aoetgt_disk *disk;	/* sectors of different disks do not overlap */
	enum aoetgt_order_kind kind;
	bool counted;			/* a read without a place among the ranges */
};

/*
 * A window of a block device: what a target, or a view of one, exports.
 * Settings and @open are guarded by the target's lock.
 */
struct aoetgt_disk {
	struct aoetgt_target *target;
	char label[48];			/* for the log: whose disk this is */
	char *path;
	u64 offset;			/* sectors */
	u64 length;			/* 0: to the end */
	bool read_only;
	bool open;
	bool draining;			/* no new users, and not closed yet; aoetgt_disks_lock */
	unsigned int reads;		/* counted by the order; its lock */

	/* Valid while open. */
	struct aoetgt_handle handle;
	struct cgroup_subsys_state *css;	/* block cgroup of its bios, or NULL */
	bool writable;			/* the device was opened for writing */
	u32 block;			/* sectors in one that the device can address, 1 or more */
	struct percpu_ref refs;		/* one for each request */
	struct completion drained;
	struct list_head node;		/* in aoetgt_disks, aoetgt_disks_lock */
	sector_t announced;		/* capacity last told to the clients; watch work */
	bool offline;			/* logged as such; watch work */

	struct work_struct reap_work;	/* ends a drain that rmdir did not wait for */
	void (*free)(struct aoetgt_disk *disk);
};

/* A MAC list, replaced as a whole so that softirq can read it under RCU. */
struct aoetgt_macs {
	struct rcu_head rcu;
	struct aoe_maclist list;
};

/*
 * One export.  Lives from mkdir to configfs release.  Attributes of the first
 * part are only written under @lock.
 */
struct aoetgt_target {
	struct config_group group;
	struct config_group interfaces_group;
	struct config_group views_group;
	struct config_group stats_group;
	u16 shelf;
	u8 slot;

	struct mutex lock;		/* guards settings and the whole of enable/disable */
	bool enabled;
	bool blocks;			/* a disk of it had a driver that sleeps in submission */
	struct aoetgt_disk disk;	/* of every client without a view; its refs are ours */
	bool write_back;		/* policy: may answer from the disk's cache */
	bool discard;
	bool mask_remote;		/* AoE clients may edit the mask */
	unsigned int buffer_count;
	unsigned int max_sectors;
	unsigned int max_sectors_before;	/* what clients may know still; 0: nothing else */
	u64 max_sectors_changed;
	char model[ATA_MODEL_LEN + 1];
	char serial[ATA_SERIAL_LEN + 1];
	char firmware[ATA_FIRMWARE_LEN + 1];
	char *cgroup;

	struct mutex wire_lock;		/* writers of what clients may change, and of views */
	struct aoetgt_macs __rcu *mask;	/* NULL: everybody */
	struct aoetgt_macs __rcu *reserve;	/* NULL: nobody holds it */
	u8 *config;			/* guarded by wire_lock */
	unsigned int config_len;

	DECLARE_HASHTABLE(views, 4);	/* by MAC; wire_lock writes, RCU reads */
	unsigned int nr_views;		/* without any, nobody looks; wire_lock writes */

	/* Valid while the disk is open. */
	bool write_cache;		/* client's choice within the policy */
	bool look_ahead;

	/* Data path: from the receiver to the thread. */
	struct llist_head rx ____cacheline_aligned_in_smp;	/* to be started, newest first */
	atomic_t in_flight;
	atomic_t share[AOETGT_SHARES];	/* of in_flight: see aoetgt_admit() */
	struct list_head ready;		/* this and run: see worker.c */
	enum aoetgt_run run;
	bool forgotten;			/* somebody waits until it is idle */
	struct work_struct work;	/* when it is not left to the threads */

	/* The one thread that runs it; the receiver looks at the errors. */
	struct llist_node *todo ____cacheline_aligned_in_smp;	/* from rx, oldest first */
	unsigned long error_window;	/* second (of jiffies) of error_count */
	unsigned int error_count;

	struct aoetgt_order order;
	struct list_head bindings;	/* RTNL */
	bool published;			/* RTNL: bindings carry it */
	u8 min_sectors;			/* smallest aoe_sectors() of its interfaces; RTNL writes */
	struct aoetgt_stats stats;
};

/* "This client sees another disk at the same address." */
struct aoetgt_view {
	struct config_item item;
	struct rcu_head rcu;
	struct hlist_node node;		/* in target->views */
	u8 mac[ETH_ALEN];
	bool enabled;			/* target->lock, until its directory goes */
	struct aoetgt_disk disk;
};

/*
 * A net device in use.  Exists while bindings are attached to it, and longer
 * if requests still hold it; those find @dev gone and drop their reply, so
 * that a slow disk never holds up the network stack.
 */
struct aoetgt_iface {
	struct list_head node;		/* in aoetgt_ifaces, RTNL */
	struct kref ref;
	struct net_device __rcu *dev;	/* NULL once it is gone; RTNL writes */
	netdevice_tracker tracker;
	unsigned int bindings;		/* attached; RTNL */
	u32 id;				/* another one for each name it has had; RTNL writes */
	unsigned int mtu_before;	/* the largest before it changed; RTNL writes */
	u64 mtu_changed;		/* when; RTNL writes */
	struct packet_type packet_type;
	struct xarray targets;		/* by address; RTNL writes, RCU reads */
	struct sk_buff_head wild;	/* frames for more than one target */
	struct work_struct work;	/* hands them out, and sends advertisements */
	atomic64_t count[AOETGT_IFACE_STAT_NR];
};

/* "Export this target on the interface of that name." */
struct aoetgt_binding {
	struct config_item item;
	struct aoetgt_target *target;
	struct list_head target_node;	/* RTNL */
	struct list_head node;		/* in aoetgt_bindings, RTNL */
	struct net *net;		/* NULL once that namespace is gone; RTNL */
	struct aoetgt_iface *iface;	/* NULL while the interface is missing; RTNL */
	unsigned int mtu_before;	/* of its last interface; RTNL */
	u64 detached;			/* when that went; RTNL */
	char ifname[IFNAMSIZ];
};

/*
 * A frame that a target has accepted.  It has one owner at a time: rx, worker,
 * bio, done.  It ends in aoetgt_request_reply() or aoetgt_request_drop().
 */
struct aoetgt_request {
	/* Cleared for each frame. */
	struct sk_buff *skb;		/* while there is something to be taken from it */
	void (*start)(struct aoetgt_request *req);	/* worker: nothing is in the way now */
	u64 t_start;
	u64 t_end;
	u64 lba;
	u32 sectors;			/* still to be done */
	u32 transferred;		/* bytes of data in or out, once it has worked */
	unsigned int data_len;		/* bytes in the pages of bvecs */
	unsigned int nr_pages;
	struct ata_op op;
	bool failed;			/* the answer is an ATA error */
	bool ordered;			/* has a place in the order */
	bool atomic;			/* its I/O has ended: answered with softirqs off */
	blk_status_t status;

	/* Set for each frame, from node on. */
	struct llist_node node;		/* on target->rx, a thread's done, a CPU's done */
	struct aoetgt_target *target;	/* holds target->disk.refs */
	struct aoetgt_disk *disk;	/* that one, or a view's, whose refs it holds too */
	struct aoetgt_iface *iface;	/* holds iface->ref */
	u64 t_rx;			/* local_clock() */
	struct aoe_frame frame;		/* what came; ATA registers turn into the answer */
	unsigned int len;		/* of the frame, as aoe_check() counts */
	enum aoe_verdict verdict;
	bool wild;			/* it was asked of more than one target */
	u8 share;			/* of the target's buffers, that it counts for */
	u8 client[ETH_ALEN];

	/* Set where they are needed. */
	void (*done)(struct aoetgt_request *req);	/* its I/O has ended; worker, softirq */
	u32 step;			/* sectors of the I/O under way */
	enum aoe_error error;		/* this and the next: an answer that waits for memory */
	const void *arg;
	size_t arg_len;
	struct aoetgt_place place;
	struct bio bio;
	struct bio_vec bvecs[AOETGT_PAGES];
};

/* Calls that go up a floor: given down by main.c at load. */
struct aoetgt_ops {
	int (*receive)(struct sk_buff *skb, struct net_device *dev, struct packet_type *pt,
		       struct net_device *orig_dev);
	void (*iface_work)(struct work_struct *work);
	unsigned int (*run)(struct aoetgt_target *t);
};

/* A line in the log says first whose disk it is about. */
#define aoetgt_err(disk, fmt, ...)	\
	pr_err("%s: " fmt "\n", (disk)->label, ##__VA_ARGS__)
#define aoetgt_info(disk, fmt, ...)	\
	pr_info("%s: " fmt "\n", (disk)->label, ##__VA_ARGS__)

static inline unsigned long aoetgt_address(u16 shelf, u8 slot)
{
	return (unsigned long)shelf << 8 | slot;
}

/* configfs.c */
int aoetgt_configfs_init(void);
void aoetgt_configfs_exit(void);

/* rx.c */
extern const struct aoetgt_ops aoetgt_rx_ops;

/* cmd_ata.c, cmd_cfg.c */
void aoetgt_ata_execute(struct aoetgt_request *req);
void aoetgt_config_execute(struct aoetgt_request *req);
void aoetgt_mask_execute(struct aoetgt_request *req);
void aoetgt_reserve_execute(struct aoetgt_request *req);
void aoetgt_advertise(struct aoetgt_target *t, struct aoetgt_iface *iface);

/* target.c */
int aoetgt_target_init(void);
void aoetgt_target_exit(void);
struct aoetgt_target *aoetgt_target_create(u16 shelf, u8 slot);
void aoetgt_target_default_serial(struct aoetgt_target *t);
int aoetgt_target_enable(struct aoetgt_target *t);
int aoetgt_target_disable(struct aoetgt_target *t);
void aoetgt_target_withdraw(struct aoetgt_target *t);
void aoetgt_target_release(struct aoetgt_target *t);
bool aoetgt_target_allows(struct aoetgt_target *t, const u8 *mac);
bool aoetgt_target_may_ata(struct aoetgt_target *t, const u8 *mac);
const struct aoe_maclist *aoetgt_target_macs(struct aoetgt_target *t,
					     struct aoetgt_macs __rcu *macs);
void aoetgt_target_set_macs(struct aoetgt_target *t, struct aoetgt_macs __rcu **slot,
			    struct aoetgt_macs *macs);

/**
 * aoetgt_target_dismiss() - a request that aoetgt_admit() let in is under way no more
 * @t: its target, still held
 * @share: the share of the buffers that it counted for
 *
 * Context: any.
 */
static inline void aoetgt_target_dismiss(struct aoetgt_target *t, u8 share)
{
	atomic_dec(&t->in_flight);
	atomic_dec(&t->share[share]);
}

/**
 * aoetgt_target_ceiling() - administrator's limit, as clients may know it
 * @t: the target
 *
 * They hear of a lower one by an advertisement, which can be lost, and what they have
 * sent before that is right.
 *
 * Context: any.
 * Return: sectors of one message, the largest of the last AOETGT_LOWERED_NS.
 */
static inline unsigned int aoetgt_target_ceiling(const struct aoetgt_target *t)
{
	unsigned int now = READ_ONCE(t->max_sectors) ?: AOE_SECTORS_MAX;
	unsigned int before;

	/* Pairs with aoetgt_max_sectors_store(): these are no older than that. */
	smp_rmb();
	before = READ_ONCE(t->max_sectors_before);
	if (before > now &&
	    ktime_get_ns() < READ_ONCE(t->max_sectors_changed) + AOETGT_LOWERED_NS)
		return before;
	return now;
}

/* view.c */
struct aoetgt_view *aoetgt_view_create(struct aoetgt_target *t, const u8 *mac);
int aoetgt_view_enable(struct aoetgt_view *v);
int aoetgt_view_disable(struct aoetgt_view *v);
void aoetgt_view_withdraw(struct aoetgt_view *v);
void aoetgt_view_release(struct aoetgt_view *v);
struct aoetgt_disk *aoetgt_view_disk_get(struct aoetgt_target *t, const u8 *mac);

/* disk.c */
void aoetgt_disk_init(struct aoetgt_disk *disk, struct aoetgt_target *t);
int aoetgt_disk_start(struct aoetgt_disk *disk, const char *cgroup);
void aoetgt_disk_kill(struct aoetgt_disk *disk);
int aoetgt_disk_stop(struct aoetgt_disk *disk);
void aoetgt_disk_release(struct aoetgt_disk *disk, void (*free)(struct aoetgt_disk *disk));
int aoetgt_disk_set_read_only(struct aoetgt_disk *disk, bool read_only);
const char *aoetgt_disk_state(struct aoetgt_disk *disk);
sector_t aoetgt_disk_size(struct aoetgt_disk *disk);
void aoetgt_disks_for_each(void (*fn)(struct aoetgt_target *t, struct seq_file *m),
			   struct seq_file *m);
void aoetgt_disks_exit(void);

/* reply.c */
void aoetgt_request_reply(struct aoetgt_request *req, const void *arg, size_t len);
bool aoetgt_errors_over(struct aoetgt_target *t);
void aoetgt_request_error(struct aoetgt_request *req, enum aoe_error error, const void *arg,
			  size_t len);
void aoetgt_request_drop(struct aoetgt_request *req, enum aoetgt_stat why);
void aoetgt_reply_unasked(struct aoetgt_target *t, struct aoetgt_iface *iface, const u8 *dst,
			  const void *arg, size_t len);

/* iface.c */
int aoetgt_iface_init(const struct aoetgt_ops *ops);
void aoetgt_iface_exit(void);
struct aoetgt_binding *aoetgt_binding_create(struct aoetgt_target *t, const char *ifname);
void aoetgt_binding_remove(struct aoetgt_binding *b);
const char *aoetgt_binding_state(struct aoetgt_binding *b);
void aoetgt_binding_netdev(struct aoetgt_binding *b, char *name);
void aoetgt_bindings_publish(struct aoetgt_target *t);
void aoetgt_bindings_withdraw(struct aoetgt_target *t);
void aoetgt_bindings_advertise(struct aoetgt_target *t);
struct net_device *aoetgt_iface_dev_get(struct aoetgt_iface *iface);
void aoetgt_iface_put(struct aoetgt_iface *iface);
void aoetgt_iface_kick(struct aoetgt_iface *iface);
unsigned int aoetgt_iface_mtu(struct aoetgt_iface *iface);
unsigned int aoetgt_iface_mtu_before(struct aoetgt_iface *iface);
bool aoetgt_iface_queue_wild(struct aoetgt_iface *iface, struct sk_buff *skb);
struct aoetgt_target *aoetgt_iface_next(struct aoetgt_iface *iface, unsigned long *address,
					bool advertise);
void aoetgt_ifaces_show(struct seq_file *m);

static inline void aoetgt_iface_count(struct aoetgt_iface *iface, enum aoetgt_iface_stat stat)
{
	atomic64_inc(&iface->count[stat]);
}

/* bdev.c */
int aoetgt_disk_open(struct aoetgt_disk *disk);
void aoetgt_disk_close(struct aoetgt_disk *disk);
int aoetgt_disk_set_cgroup(struct aoetgt_disk *disk, const char *path);
sector_t aoetgt_disk_capacity(const struct aoetgt_disk *disk);
bool aoetgt_disk_alive(const struct aoetgt_disk *disk);
bool aoetgt_disk_can_discard(const struct aoetgt_disk *disk);
void aoetgt_disk_describe(const struct aoetgt_disk *disk, struct ata_identity *me);
void aoetgt_disk_rw(struct aoetgt_disk *disk, struct aoetgt_request *req, blk_opf_t opf);
void aoetgt_disk_flush(struct aoetgt_disk *disk, struct aoetgt_request *req);
void aoetgt_disk_discard(struct aoetgt_disk *disk, struct aoetgt_request *req);

/* order.c */
void aoetgt_order_init(struct aoetgt_order *order);
bool aoetgt_order_enter(struct aoetgt_order *order, struct aoetgt_place *place,
			struct aoetgt_disk *disk, enum aoetgt_order_kind kind,
			u64 first, u64 last);
bool aoetgt_order_leave(struct aoetgt_order *order, struct aoetgt_place *place);
struct aoetgt_place *aoetgt_order_next(struct aoetgt_order *order);

/* request.c */
extern struct workqueue_struct *aoetgt_wq;
int aoetgt_request_init(void);
void aoetgt_request_exit(void);
struct aoetgt_request *aoetgt_request_alloc(void);
void aoetgt_request_free(struct aoetgt_request *req);
void aoetgt_request_no_pages(struct aoetgt_request *req);
bool aoetgt_request_pages(struct aoetgt_request *req, unsigned int len);
bool aoetgt_request_payload(struct aoetgt_request *req, unsigned int skip, unsigned int len);
void aoetgt_request_crop(struct aoetgt_request *req, unsigned int skip, unsigned int len);
void aoetgt_pages_trim(void);
void aoetgt_request_complete(struct aoetgt_request *req);
void aoetgt_requests_answer(struct llist_node *newest);
void aoetgt_requests_hand_over(struct llist_node *newest);
void aoetgt_request_again(struct aoetgt_request *req, void (*start)(struct aoetgt_request *req));

/* One entry of a TRIM payload; its pages are full but for the last. */
static inline u64 aoetgt_trim_entry(struct aoetgt_request *req, unsigned int i)
{
	unsigned int per_page = PAGE_SIZE / sizeof(__le64);
	__le64 *entries = page_address(req->bvecs[i / per_page].bv_page);

	return le64_to_cpu(entries[i % per_page]);
}

/* Has the target, or this client's view, been disabled since the request came? */
static inline bool aoetgt_request_dying(struct aoetgt_request *req)
{
	return percpu_ref_is_dying(&req->target->disk.refs) ||
	       percpu_ref_is_dying(&req->disk->refs);
}

/* worker.c */
int aoetgt_workers_init(const struct aoetgt_ops *ops);
void aoetgt_workers_exit(void);
bool aoetgt_worker_keeps(struct aoetgt_request *req);
void aoetgt_target_idle(struct aoetgt_target *t);
void aoetgt_target_kick(struct aoetgt_target *t);
void aoetgt_target_forget(struct aoetgt_target *t);

/* stats.c */
void aoetgt_stats_init(struct aoetgt_stats *stats);
void aoetgt_stats_exit(struct aoetgt_stats *stats);
u64 aoetgt_stats_dropped(const struct aoetgt_stats *stats);
void aoetgt_stats_request(struct aoetgt_request *req, const char *ifname, bool error);
ssize_t aoetgt_stats_latency(struct aoetgt_stats *stats, char *page);
void aoetgt_stats_clients(struct aoetgt_stats *stats, u16 shelf, u8 slot, struct seq_file *m);

static inline void aoetgt_count(struct aoetgt_target *t, enum aoetgt_stat stat)
{
	atomic64_inc(&t->stats.count[stat]);
}

/* debugfs.c */
#ifdef CONFIG_DEBUG_FS
void aoetgt_debugfs_init(void);
void aoetgt_debugfs_exit(void);
#else
static inline void aoetgt_debugfs_init(void) {}
static inline void aoetgt_debugfs_exit(void) {}
#endif

#endif /* AOETGT_H */
