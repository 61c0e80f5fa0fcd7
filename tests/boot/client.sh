#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# In the client, at the end of its boot: is root what it should be? On the console,
# which is opened for each line: the login prompt hangs up on who has it open.
set -u

say() {
	echo "boot-test: $*" >/dev/ttyS0
}

# fill - write to root until it fails: all that did not fail is there.
fill() {
	mount -t tmpfs tmpfs /tmp
	cd /root || return
	n=0 same=0
	while head -c 1048576 /dev/urandom >/tmp/part && dd if=/tmp/part "of=part.$n" bs=1M \
		conv=fsync oflag=direct status=none 2>/tmp/refusal; do
		sha256sum <"/tmp/part" >"/tmp/sum.$n"
		n=$((n + 1))
	done
	say "after $n MiB: $(sed 's/.*: //' /tmp/refusal)"
	sync
	echo 3 >/proc/sys/vm/drop_caches
	while [ "$same" -lt "$n" ] && [ "$(sha256sum <"part.$same")" = "$(cat "/tmp/sum.$same")" ]; do
		same=$((same + 1))
	done
	say "of these $same MiB read back"
}

root=$(findmnt -n -o SOURCE /)
say "root is $root $(findmnt -n -o FSTYPE,UUID / | tr -s ' ')"
say "options $(findmnt -n -o OPTIONS / | cut -d , -f 1)"
disk=$(echo "$root" | sed -n 's|^/dev/etherd/\(e[0-9]*\.[0-9]*\).*|\1|p')
say "driver uses $(cat "/sys/block/etherd!$disk/netif"), $(cat "/sys/block/etherd!$disk/payload" 2>/dev/null) bytes"
say "queue $(cat "/sys/block/etherd!$disk/queue/nr_requests") $(cat "/sys/block/etherd!$disk/queue/max_sectors_kb") $(cat "/sys/block/etherd!$disk/payload")"
for path in /sys/class/net/*/device; do
	name=$(basename "$(dirname "$path")")
	say "interface $name $(cat "/sys/class/net/$name/address") MTU $(cat "/sys/class/net/$name/mtu")"
done
cat /proc/sys/kernel/random/uuid >/root/written
sync
say "written $(cat /root/written)"
say "$(dmesg | sed -n 's/.*aoe: \(.* found .* s after the carrier\)/\1/p' | tail -n 1)"
say "failed units: $(systemctl list-units --failed --no-legend --plain | cut -d ' ' -f 1 | xargs)"
# The test tells by its serial number what a machine is for.
[ "$(cat /sys/class/dmi/id/product_serial)" != fill ] || fill
say "end"
