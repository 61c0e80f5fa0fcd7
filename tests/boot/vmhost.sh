#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A host of virtual machines: a guest of Debian's kernel on a wire of the boot tests, with
# the kernel's initiator, that does what the test orders. The target is reached through a
# bridge, as on hosts that bridge their virtual machines' NICs.
#
# usage: tests/boot/vmhost.sh ADDRESS
set -eu -o pipefail
TOP=$(cd "$(dirname "$0")/../.." && pwd -P)
# shellcheck source=tests/boot/orders.sh
. "$TOP/tests/boot/orders.sh"

export LC_ALL=C

# initiator - wait for the disk e7.1.
initiator() {
	modprobe aoe aoe_iflist=br0
	for _ in $(seq 100); do
		echo >/dev/etherd/discover
		[ ! -b /dev/etherd/e7.1 ] || return 0
		sleep 0.2
	done
	return 1
}

# machine [WORD...] - start it, as the documentation says; its serial line is in
# $AOETGT_OUT/serial.
machine() {
	qemu-system-x86_64 -nodefaults -display none -accel tcg -m 16M \
		-machine pc,graphics=off -serial "file:$AOETGT_OUT/serial" \
		-qmp unix:/run/qmp,server=on,wait=off \
		-drive file=/dev/etherd/e7.1,if=ide,format=raw,cache=none \
		"$@" >"$AOETGT_OUT/qemu" 2>&1 &
}

# qmp COMMAND [ARGUMENTS-IN-JSON]
qmp() {
	"$TOP/tests/boot/qmp" /run/qmp "$@"
}

bridge_all "$1" 1500
initiator
answer_orders
