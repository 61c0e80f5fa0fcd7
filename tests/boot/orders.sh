# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# For guests that do what tests/boot/lib.sh orders.

# bridge_all ADDRESS MTU - br0, with all interfaces of this machine.
bridge_all() {
	local path
	modprobe -a virtio_net bridge
	ip link add br0 type bridge forward_delay 0
	for path in /sys/class/net/e*/device; do
		path=${path%/device}
		ip link set "${path##*/}" mtu "$2" master br0 up
	done
	ip link set br0 mtu "$2" up
	ip address add "$1/24" dev br0
}

# answer_orders - code in the files order.1, order.2 ... of $AOETGT_OUT, until one ends
# with the line "#end". What it prints is in output.N, its status in answer.N.
answer_orders() {
	local n=1 order status
	# After a reset, not those of the boot before.
	while [ -e "$AOETGT_OUT/answer.$n" ]; do
		n=$((n + 1))
	done
	: >"$AOETGT_OUT/ready"
	while :; do
		order=$AOETGT_OUT/order.$n
		while [ ! -e "$order" ]; do
			sleep 0.2
		done
		status=0
		# shellcheck disable=SC1090 # made by the host
		(. "$order") >"$AOETGT_OUT/output.$n" 2>&1 || status=$?
		echo "$status" >"$AOETGT_OUT/status.$n"
		mv "$AOETGT_OUT/status.$n" "$AOETGT_OUT/answer.$n"
		! grep -q '^#end' "$order" || return 0
		n=$((n + 1))
	done
}
