#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What boot/*-packages does inside the machine, one stage a boot. The host has put
# the stage's number into /share/number, and plugs in the late disk when there is
# a file /share/plug.
set -eu -o pipefail
# shellcheck source=tests/lib/ktap.sh
. /share/ktap.sh

TARGETS=/sys/kernel/config/aoetgt/targets
LATE=/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_late
RELEASE=$(uname -r)
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

busywait() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.2
	done
}

apt_install() {
	apt-get -q -y -o APT::Install-Recommends=false install "$@"
}

dkms_has() {
	dkms status | tee /dev/stderr | grep -q "^aoetgt.*$1.*: installed"
}

states() {
	local t
	for t in "$TARGETS"/*/; do
		printf '%s %s ' "$(basename "$t")" "$(cat "$t/state")"
	done
}

is_online() {
	[ "$(cat "$TARGETS/$1/state")" = online ]
}

# client_reads NUMBER... - through the kernel's initiator, on the cable's other end.
client_reads() {
	local n
	modprobe aoe aoe_iflist=cable1
	for n in "$@"; do
		echo >/dev/etherd/discover
		busywait 30 test -b "/dev/etherd/e7.$n" || return 1
		[ "$(dd "if=/dev/etherd/e7.$n" bs=512 count=1 iflag=direct status=none |
			tr -d '\0')" = "disk $n" ] || return 1
	done
	modprobe -r aoe
}

mark() {
	printf 'disk %s' "$2" | dd "of=$1" conv=notrunc status=none
}

# own_test - in a machine as new; what it leaves is not ours.
own_test() {
	sh /share/export || return 1
	rm /etc/aoetgt.conf
	ip netns del target
	systemctl start aoetgt
}

make_disks() {
	echo 'type=83' | sfdisk -q /dev/vdc
	pvcreate -q /dev/vdd
	vgcreate -q vg /dev/vdd
	lvcreate -q -y -L 16M -n lv vg
	truncate -s 16M /srv/file.img
	udevadm settle
	mark /dev/vdb 1
	mark /dev/vdc1 2
	mark /dev/vg/lv 3
	mark /srv/file.img 4
}

export_disks() {
	mkdir -p /etc/aoetgt.conf.d
	printf '[e7.5]\ndevice = %s\ninterfaces = cable0\n' "$LATE" >/etc/aoetgt.conf.d/late.conf
	aoetgt export e7.1 /dev/vdb cable0
	aoetgt export e7.2 /dev/vdc1 cable0
	aoetgt export e7.3 /dev/vg/lv cable0
	aoetgt export e7.4 /srv/file.img cable0
	aoetgt restore
	aoetgt save
}

late_disk() {
	: >/share/plug
	busywait 300 is_online e7.5
}

stage_install() {
	check "the packages are installed" apt_install /share/aoetgt-dkms_*.deb /share/aoetgt-tools_*.deb
	check "DKMS has built the module" dkms_has "$RELEASE"
	is "the service is enabled and runs" \
		"$(systemctl is-enabled aoetgt) $(systemctl is-active aoetgt)" "enabled active"
	check "the packages' own test passes (autopkgtest)" own_test
	check "there are disks" make_disks
	check "they are exported" export_disks
	check "a client reads them" client_reads 1 2 3 4
}

stage_upgrade() {
	is "after a reboot four serve, one waits" "$(states)" \
		"e7.1 online e7.2 online e7.3 online e7.4 online e7.5 disabled "
	is "the service is" "$(systemctl is-active aoetgt)" active
	check "the late disk is plugged in and serves" late_disk
	check "a client reads them all" client_reads 1 2 3 4 5
	check "the next kernel is installed" apt_install \
		-t "$(. /etc/os-release && echo "$VERSION_CODENAME")-backports" \
		linux-image-amd64 linux-headers-amd64
	is "DKMS has built the module for it, too" \
		"$(dkms status | grep -c '^aoetgt.*: installed')" 2
	cp -L /vmlinuz /initrd.img /share/
	uname -r >/share/old-kernel
}

stage_purge() {
	check "another kernel runs" [ "$RELEASE" != "$(cat /share/old-kernel)" ]
	is "after the reboot four serve, one waits" "$(states)" \
		"e7.1 online e7.2 online e7.3 online e7.4 online e7.5 disabled "
	check "the late disk is plugged in and serves" late_disk
	check "a client reads them all" client_reads 1 2 3 4 5
	check "the packages are removed" apt-get -q -y remove aoetgt-tools aoetgt-dkms
	is "no export is left" "$(ls "$TARGETS")" ""
	is "no loop device" "$(losetup --all)" ""
	check "the configuration is" test -s /etc/aoetgt.conf
	check "the module can be unloaded" rmmod aoetgt
	check "they are purged" apt-get -q -y purge aoetgt-tools aoetgt-dkms
	is "nothing is left" "$(find / -xdev -name '*aoetgt*' ! -name '*.list' ! -path '/share/*') $(ls -d /run/aoetgt 2>/dev/null)" " "
	is "nor has DKMS anything" "$(dkms status 2>/dev/null | grep aoetgt || true)" ""
}

# Debian's own discovery, started by a rule whenever aoe is loaded, fails if that has
# been unloaded by then.
systemctl -q mask --runtime aoe-discover.service

case $(cat /share/number) in
1) stage_install ;;
2) stage_upgrade ;;
3) stage_purge ;;
esac
is "nothing has failed" "$(systemctl list-units --failed --no-legend --plain)" ""
: >"/share/done"
