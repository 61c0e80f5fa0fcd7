#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Find the AoE disks that root is on. udev has settled.
# (Where systemd runs dracut, what is printed would only be in the journal.)

# shellcheck source=/dev/null
. /lib/dracut-lib.sh
# shellcheck source=scripts/client/aoeroot.sh
. /lib/aoeroot.sh

exec >/dev/console 2>&1
aoe_wanted || exit 0
until aoe_find; do
	aoe_report
	# With "shell" this comes back when the shell is left.
	case $AOE_FAIL in
	shell) emergency_shell -n aoe "aoe: a shell; leave it to try once more" ;;
	reboot) reboot -f -d -n ;;
	esac
done
