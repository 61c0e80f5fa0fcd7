// SPDX-License-Identifier: GPL-2.0
/* Views for whoever looks for a fault; nothing depends on them. */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "aoetgt.h"

static struct dentry *aoetgt_debugfs;

static void aoetgt_clients_of(struct aoetgt_target *t, struct seq_file *m)
{
	aoetgt_stats_clients(&t->stats, t->shelf, t->slot, m);
}

static int clients_show(struct seq_file *m, void *v)
{
	seq_puts(m, "target client interface last_seen_ms requests bytes errors\n");
	aoetgt_disks_for_each(aoetgt_clients_of, m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(clients);

#define AOETGT_IFACE_STAT_NAME(name)	" " #name

static int interfaces_show(struct seq_file *m, void *v)
{
	seq_puts(m, "interface netns" AOETGT_IFACE_STATS(AOETGT_IFACE_STAT_NAME) "\n");
	aoetgt_ifaces_show(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(interfaces);

/**
 * aoetgt_debugfs_init() - make the views
 */
void aoetgt_debugfs_init(void)
{
	aoetgt_debugfs = debugfs_create_dir("aoetgt", NULL);
	debugfs_create_file("clients", 0400, aoetgt_debugfs, NULL, &clients_fops);
	debugfs_create_file("interfaces", 0400, aoetgt_debugfs, NULL, &interfaces_fops);
}

/**
 * aoetgt_debugfs_exit() - remove them
 */
void aoetgt_debugfs_exit(void)
{
	debugfs_remove_recursive(aoetgt_debugfs);
}
