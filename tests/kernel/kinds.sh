# shellcheck shell=bash
# shellcheck disable=SC2034 # variables for those who source it
# SPDX-License-Identifier: GPL-2.0
#
# What each kind of guest kernel is made of. Needs host.sh and apt.sh.
# To add a stock kernel of another suite, see KINDS in tests/kernel/chroot.

# cross_prefix ARCH - of the compiler's name; empty if it is this machine's.
cross_prefix() {
	case $1 in
	arm64) echo aarch64-linux-gnu- ;;
	s390) echo s390x-linux-gnu- ;;
	esac
}

# kind_find KIND - make what is missing and set:
#   K_VMM      uml or qemu; none if it is only compiled for
#   K_RELEASE  what uname -r says
#   K_IMAGE    the kernel to boot
#   K_MODULES  the kernel's own modules: a /lib/modules/RELEASE directory
#   K_BUILD    KERNELDIR for modules (inside K_CHROOT if that is set)
#   K_CHROOT   where the module must be built, or empty: on the host
#   K_MAKE     more words for make
kind_find() {
	local dir
	K_CHROOT="" K_MAKE=()
	case $1 in
	uml | uml-debug)
		dir=$("$TOP/tests/kernel/build-own" "$1")
		K_VMM=uml K_IMAGE=$dir/linux K_BUILD=$dir
		K_MODULES=$(echo "$dir"/install/lib/modules/*)
		K_RELEASE=${K_MODULES##*/}
		K_MAKE=(ARCH=um)
		;;
	kcsan)
		dir=$("$TOP/tests/kernel/build-own" "$1")
		K_VMM=qemu K_IMAGE=$dir/arch/x86/boot/bzImage K_BUILD=$dir
		K_MODULES=$(echo "$dir"/install/lib/modules/*)
		K_RELEASE=${K_MODULES##*/}
		;;
	arm64 | s390 | i386)
		dir=$("$TOP/tests/kernel/build-cross" "$1")
		K_VMM=none K_IMAGE=$dir/.config K_BUILD=$dir K_MODULES="" K_RELEASE=""
		# The functions of a kernel that was not built are not known.
		K_MAKE=(ARCH="$1" CROSS_COMPILE="$(cross_prefix "$1")" KBUILD_MODPOST_WARN=1)
		;;
	bookworm)
		"$TOP/tests/setup" stock
		K_VMM=qemu
		K_RELEASE=$(dpkg-query -W -f '${Depends}' linux-headers-amd64 |
			grep -o 'linux-headers-[0-9][^ ,]*' | sed 's/^linux-headers-//')
		stock_image "$K_RELEASE"
		dir=$CACHE/stock-$K_RELEASE
		K_IMAGE=$dir/boot/vmlinuz-$K_RELEASE
		K_MODULES=$dir/lib/modules/$K_RELEASE
		K_BUILD=/lib/modules/$K_RELEASE/build
		;;
	*)
		dir=trixie
		[ "$1" != forky ] || dir=forky
		dir=$("$TOP/tests/kernel/chroot" "$dir")
		K_VMM=qemu
		K_RELEASE=$(awk -v kind="$1" '$1 == kind { print $2 }' "$dir/kinds")
		[ -n "$K_RELEASE" ] || DIE_STATUS=2 die "no such kind of guest: $1"
		K_CHROOT=$dir
		K_IMAGE=$dir/boot/vmlinuz-$K_RELEASE
		K_MODULES=$dir/lib/modules/$K_RELEASE
		K_BUILD=/lib/modules/$K_RELEASE/build
		;;
	esac
	[ -s "$K_IMAGE" ] || die "kernel $1: $K_IMAGE is missing"
}

# stock_image RELEASE - unpack a kernel image of the host's own suite.
stock_image() {
	local dir=$CACHE/stock-$1
	[ ! -e "$dir" ] || return 0
	(
		lock "stock-$1"
		[ ! -e "$dir" ] || exit 0
		work=$(mktemp -d "$CACHE/stock.XXXXXX")
		trap 'rm -rf "$work"' EXIT
		say "fetching linux-image-$1"
		cd "$work" || exit 1
		logged "$CACHE/log/stock-fetch" apt-get -q -o APT::Sandbox::User=root \
			download "linux-image-$1"
		mkdir root
		dpkg-deb -x linux-image-*.deb root
		depmod -b root "$1"
		mv root "$dir"
	) >&2
}
