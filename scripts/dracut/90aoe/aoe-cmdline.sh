#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Before udev has loaded any driver: will there be something to wait for? This is read
# by dracut's own shell, so in a subshell.

# shellcheck source=scripts/client/aoeroot.sh
if (. /lib/aoeroot.sh && aoe_wanted); then
	/sbin/initqueue --settled --onetime --unique --name aoe /sbin/aoe-find
fi
