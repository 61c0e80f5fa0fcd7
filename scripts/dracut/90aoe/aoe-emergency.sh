#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Before dracut's emergency shell: how the AoE disk looks. Who asked for no shell gets
# none: what waiting did not mend begins anew.

# shellcheck source=scripts/client/aoeroot.sh
(
	. /lib/aoeroot.sh
	aoe_wanted >/dev/null || exit 0
	aoe_interfaces
	aoe_report
	[ "$AOE_FAIL" = shell ] || reboot -f -d -n
)
