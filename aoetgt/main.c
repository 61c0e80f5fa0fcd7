// SPDX-License-Identifier: GPL-2.0
/*
 * aoetgt: block devices as ATA over Ethernet targets.
 *
 * Loading makes /sys/kernel/config/aoetgt; everything else is done there, see
 * Documentation/admin-guide.rst.  The way of a request through the files is
 * told in Documentation/design.rst.
 */
#include <linux/module.h>

#include "aoetgt.h"

/* configfs comes last and leaves first: nobody meets a half-built module. */
static int __init aoetgt_init(void)
{
	int err;

	err = aoetgt_request_init();
	if (err)
		return err;
	err = aoetgt_workers_init(&aoetgt_rx_ops);
	if (err)
		goto out_request;
	err = aoetgt_target_init();
	if (err)
		goto out_workers;
	err = aoetgt_iface_init(&aoetgt_rx_ops);
	if (err)
		goto out_target;
	aoetgt_debugfs_init();
	err = aoetgt_configfs_init();
	if (err)
		goto out_debugfs;
	return 0;
out_debugfs:
	aoetgt_debugfs_exit();
	aoetgt_iface_exit();
out_target:
	aoetgt_target_exit();
out_workers:
	aoetgt_workers_exit();
out_request:
	aoetgt_request_exit();
	return err;
}

static void __exit aoetgt_exit(void)
{
	aoetgt_configfs_exit();
	aoetgt_debugfs_exit();
	aoetgt_disks_exit();
	aoetgt_iface_exit();
	aoetgt_target_exit();
	aoetgt_workers_exit();
	aoetgt_request_exit();
}

module_init(aoetgt_init);
module_exit(aoetgt_exit);

MODULE_DESCRIPTION("ATA over Ethernet target");
MODULE_AUTHOR("The aoetgt maintainers");
MODULE_VERSION(AOETGT_VERSION);
MODULE_LICENSE("GPL");
