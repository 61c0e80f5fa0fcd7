# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# A server and its diskless clients, for tests on the host. The server is a guest with
# a stock Debian kernel (tests/boot/server.sh); each client a QEMU machine with nothing
# but a NIC, on a wire of its own to the server.
#
#     host:  order CODE... ---> server guest --- wire.1 --- client 1 (console.1, qmp.1)
#                               br0, aoetgt,  \- wire.2 --- client 2
#                               DHCP, TFTP

# shellcheck source=tests/lib/host.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/host.sh"
# shellcheck source=tests/lib/ktap.sh
. "$TOP/tests/lib/ktap.sh"

WORK=$(mktemp -d "${AOETGT_OUT:-/var/tmp}/boot.XXXXXX")
CLIENTS=() SERVER=''

cleanup() {
	local pid
	for pid in "${CLIENTS[@]}" $SERVER; do
		kill "$pid" 2>/dev/null || true
	done
	wait
	# The logs stay.
	rm -f "$WORK"/*.img
}
trap cleanup EXIT

# start_server WIRES [KIND] - with the disk $WORK/disk.img.
start_server() {
	local n words="-drive file=$WORK/disk.img,if=virtio,format=raw,cache=writeback"
	for n in $(seq "$1"); do
		words+=" -netdev stream,id=w$n,server=on,addr.type=unix,addr.path=$WORK/wire.$n"
		words+=" -device virtio-net-pci,netdev=w$n,romfile="
	done
	rm -rf "$WORK/server"
	mkdir "$WORK/server"
	AOETGT_QEMU="$words ${SERVER_WORDS-}" AOETGT_OUT=$WORK/server AOETGT_TIMEOUT=${SERVER_LIMIT:-1200} \
		"$TOP/tests/guest" "${2:-bookworm}" -- "$TOP/tests/boot/server.sh" >"$WORK/server.log" 2>&1 &
	SERVER=$!
	busywait 120 server_ready
}

server_ready() {
	[ -e "$WORK/server/ready" ] || ! kill -0 "$SERVER" 2>/dev/null
}

# order_in DIR CODE - run bash code in a guest that does orders; its output comes here.
order_in() {
	local n=1
	while [ -e "$1/order.$n" ]; do
		n=$((n + 1))
	done
	printf '%s\n' "$2" >"$1/order.tmp"
	mv "$1/order.tmp" "$1/order.$n"
	busywait "${ORDER_LIMIT:-60}" test -e "$1/answer.$n" ||
		{ echo "no answer from ${1##*/}"; return 1; }
	cat "$1/output.$n"
	return "$(cat "$1/answer.$n")"
}

# order CODE - in the server.
order() {
	order_in "$WORK/server" "$1"
}

# on_host NUMBER CODE - in a host of virtual machines.
on_host() {
	order_in "$WORK/host.$1" "$2"
}

# start_host NUMBER - of virtual machines, on that wire.
start_host() {
	mkdir "$WORK/host.$1"
	AOETGT_QEMU="-netdev stream,id=n,server=off,addr.type=unix,addr.path=$WORK/wire.$1
		-device virtio-net-pci,netdev=n,mac=$(mac_of "$1"),romfile=" \
		AOETGT_OUT=$WORK/host.$1 AOETGT_TIMEOUT=${SERVER_LIMIT:-1200} "$TOP/tests/guest" bookworm \
		-- "$TOP/tests/boot/vmhost.sh" "10.7.0.$((10 + $1))" >"$WORK/host.$1.log" 2>&1 &
	CLIENTS[$1]=$!
	busywait 120 test -e "$WORK/host.$1/ready"
}

# end_server CODE - the last order; then its guest ends. With a verdict.
end_server() {
	local status=0
	order "$1
#end" || status=$?
	wait "$SERVER" || status=$?
	SERVER=
	[ "$status" = 0 ] || tail -n 20 "$WORK/server.log" | sed 's/^/# /'
	is "the server ends" "$status" 0
}

# words TEXT - more for the kernel's command line, in the disk that is not exported yet.
words() {
	order "mount /dev/vda1 /mnt
		sed -i 's/ ro .*console=tty0/ ro $1 console=tty0/' /mnt/boot/grub/grub.cfg
		umount /mnt; blockdev --flushbufs /dev/vda"
}

mac_of() {
	printf '52:54:00:07:00:%02x' "$1"
}

# start_client NUMBER NIC [WORD...] - boots by its NIC's own iPXE, on wire NUMBER.
start_client() {
	local n=$1 nic=$2 first=,bootindex=0
	shift 2
	# A kernel of QEMU's is first by itself.
	case " $* " in
	*" -kernel "*) first="" ;;
	esac
	rm -f "$WORK/console.$n"
	qemu-system-x86_64 -nodefaults -no-user-config -display none -machine pc,graphics=off \
		-accel tcg,thread=multi -cpu "max,-erms,-fsrm" -m 640M -smp 1 \
		-netdev "stream,id=n,server=off,addr.type=unix,addr.path=$WORK/wire.$n" \
		-device "$nic,netdev=n,mac=$(mac_of "$n"),id=nic$first" \
		-device virtio-rng-pci -serial "file:$WORK/console.$n" \
		-qmp "unix:$WORK/qmp.$n,server=on,wait=off" "$@" >"$WORK/qemu.$n" 2>&1 </dev/null &
	CLIENTS[n]=$!
}

# console NUMBER PATTERN - has the client said it?
console() {
	local lines
	[ -e "$WORK/console.$1" ] || return 1
	# Not "grep -q", which ends while tr still writes: a failure of the pipe.
	lines=$(tr -d '\r\0' <"$WORK/console.$1" | grep -a -e "$2") || true
	[ -n "$lines" ]
}

# said NUMBER PATTERN SECONDS - wait for it; as long as the client lives.
said() {
	local deadline=$((SECONDS + $3))
	until console "$1" "$2"; do
		if [ "$SECONDS" -ge "$deadline" ] || ! kill -0 "${CLIENTS[$1]}" 2>/dev/null; then
			console "$1" "$2" && return 0
			note "client $1 did not say \"$2\"; its last words:"
			tr -d '\r\0' <"$WORK/console.$1" | tail -n 25 | sed 's/^/#   /'
			return 1
		fi
		sleep 0.2
	done
}

# qmp NUMBER COMMAND [ARGUMENTS-IN-JSON]
qmp() {
	local socket=$WORK/qmp.$1
	shift
	busywait 10 test -S "$socket"
	"$TOP/tests/boot/qmp" "$socket" "$@"
}

gone() {
	! kill -0 "$1" 2>/dev/null
}

# pressed NUMBER - press the button, and see whether it is off 15 s later.
pressed() {
	gone "${CLIENTS[$1]}" || qmp "$1" system_powerdown || true
	busywait 15 gone "${CLIENTS[$1]}"
}

# power_off NUMBER - press the button until the machine is off by itself: while udev still
# loads drivers nobody listens to it.
power_off() {
	busywait 120 pressed "$1" || {
		note "client $1 does not switch itself off; its last words:"
		tail -n 15 "$WORK/console.$1" | tr -d '\r' | sed 's/^/#   /'
		return 1
	}
	console "$1" 'reboot: Power down'
}
