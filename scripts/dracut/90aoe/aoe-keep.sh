#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Root is mounted: see that the running system leaves its interface alone.

# shellcheck source=scripts/client/aoeroot.sh
(. /lib/aoeroot.sh && aoe_wanted >/dev/null && [ -z "$(aoe_missing)" ] && aoe_keep_all_up)
