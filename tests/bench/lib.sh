# shellcheck shell=bash
# shellcheck disable=SC2034 # variables for those who source it
# SPDX-License-Identifier: GPL-2.0
#
# The responders, and how a row is measured: for tests/bench/inside, in a guest,
# and tests/bench/real, on a real machine. Whoever sources it sets AOETGT_OUT
# and may change what follows.

# shellcheck source=tests/lib/target.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/target.sh"

BENCH=$TOP/tests/bench
RESULTS=$AOETGT_OUT/results
# The disk, and sectors of it that are used.
DISK=/dev/ram0
SPAN=131072
CLIENT_IF=ini0
TARGET_IF=tgt0
ADDRESS=e7.1
# The network namespace of the target's interface.
TARGET_NET=/run/netns/$NS
MANY=4096
# How long aoe-bench measures: its options.
LENGTH=(-W 500 -c 2000 -r 5)
# What is set up now: a responder and its disk.
SETUP=""

# result ROW NAME=VALUE...
result() {
	local row=$1
	shift
	printf '%s\t%s\n' "$row" "$*" >>"$RESULTS"
	printf '# %s: %s\n' "$row" "$*"
}

# --- responders -------------------------------------------------------------
# Whether these succeed is asked, so errexit is off in them.

module_up() {
	modprobe aoetgt
}

module_down() {
	modprobe -r aoetgt
}

aoetgt_up() {
	local disk=$DISK
	TARGET=(-t "$ADDRESS")
	if [ "${1-}" = cache ]; then
		disk=/dev/nullc
		null_disk nullc $((SPAN / 2048)) cache_size=8 && fill "$disk" || return 1
	fi
	module_up &&
		target_create "$ADDRESS" "$disk" "write_cache=$MODE" &&
		target_bind "$ADDRESS" "$TARGET_IF" &&
		target_enable "$ADDRESS"
}

# mode BACK|THROUGH - it is the same target all the time.
aoetgt_mode() {
	[ "$(attr "$ADDRESS" write_cache)" != "$1" ] || return 0
	target_disable "$ADDRESS"
	attr "$ADDRESS" write_cache "$1"
	target_enable "$ADDRESS"
}

aoetgt_down() {
	target_destroy "$ADDRESS"
	[ ! -d "$NULLB/nullc" ] || rmdir "$NULLB/nullc"
	module_down
}

targets_up() {
	local sectors=$((SPAN / MANY))
	TARGET=(-t e1.0 -N "$MANY" -l "$sectors")
	module_up &&
		in_ns python3 "$BENCH/many" up "$MANY" "$DISK" "$TARGET_IF" "$sectors"
}

targets_down() {
	python3 "$BENCH/many" down "$MANY"
	module_down
}

vblade_up() {
	local shelf=${ADDRESS%.*}
	TARGET=(-t "$ADDRESS")
	background "$AOETGT_OUT/vblade" nsenter --net="$TARGET_NET" \
		vblade -d -b 128 "${shelf#e}" "${ADDRESS#*.}" "$TARGET_IF" "$DISK"
	VBLADE=$BG
	busywait 5 "$TOOLS/aoe-raw" -i "$CLIENT_IF" -t "$ADDRESS" identify
}

vblade_down() {
	stop_job "$VBLADE" 2>/dev/null
}

echo_up() {
	TARGET=(-t "$ADDRESS")
	in_ns insmod "$AOETGT_OUT/aoe-echo.ko" ifname="$TARGET_IF"
}

echo_down() {
	rmmod aoe-echo
}

# setup_of ROW - what it needs: a responder, and for aoetgt the variant.
setup_of() {
	local responder=$1 variant=${5-}
	case $responder,$variant in
	*,targets) echo targets ;;
	aoetgt,*) echo "aoetgt${variant:+ $variant}" ;;
	*) echo "${responder//-/_}" ;;
	esac
}

# setup_change SETUP - take down what is there and make this instead.
setup_change() {
	[ "$1" != "$SETUP" ] || return 0
	if [ -n "$SETUP" ]; then
		"${SETUP%% *}_down" >/dev/null
	fi
	SETUP=""
	[ -n "$1" ] || return 0
	# shellcheck disable=SC2086 # words
	if ! "${1%% *}_up" ${1#"${1%% *}"}; then
		"${1%% *}_down" >/dev/null 2>&1
		return 1
	fi
	SETUP=$1
}

# lacking RESPONDER - say what is not there without which it cannot run.
lacking() {
	case $1 in
	echo) [ -e "$AOETGT_OUT/aoe-echo.ko" ] || echo "aoe-echo.ko was not built" ;;
	*vblade) command -v vblade >/dev/null || echo "vblade is not installed" ;;
	esac
}

# --- measuring --------------------------------------------------------------

# bench_words OPERATION BYTES WINDOW - options of aoe-bench, into WORDS.
bench_words() {
	WORDS=(-i "$CLIENT_IF" -s $(($2 / 512)) -n "$3" -l "$SPAN" -m "$MAC" "${LENGTH[@]}")
	case $1 in
	*write*) WORDS+=(-w 100) ;;
	mixed) WORDS+=(-w 30) ;;
	esac
	case $1 in
	seq*) WORDS+=(-q) ;;
	page*) WORDS+=(-a) ;;
	esac
}

# aoe_row ROW RESPONDER OPERATION BYTES WINDOW [VARIANT]
aoe_row() {
	local row=$1 line
	shift
	if [ "$1" = aoetgt ] && [ "${5-}" != targets ]; then
		case $2 in
		*-through) aoetgt_mode through ;;
		*) aoetgt_mode back ;;
		esac
	fi
	bench_words "$2" "$3" "$4"
	# Each of many targets once before, and twice in the measurement.
	[ "${5-}" != targets ] || WORDS+=(-W "$MANY" -c $((2 * MANY)))
	line=$("$TOOLS/aoe-bench" "${WORDS[@]}" "${TARGET[@]}" 2>&1) ||
		line="missing=$(printf '%s' "$line" | tr ' \n' '__')"
	# shellcheck disable=SC2086 # words
	result "$row" $line
}

# measure ROW - its words; a failure is this row's only.
measure() {
	local row=$* lacking
	MODE=back
	case $2 in
	*-through) MODE=through ;;
	esac
	lacking=$(lacking "$1")
	if [ -n "$lacking" ]; then
		result "$row" "missing=${lacking// /_}"
		return
	fi
	if ! setup_change "$(setup_of "$@")"; then
		result "$row" "missing=$(setup_of "$@")_cannot_be_set_up"
		return
	fi
	case $1 in
	aoetgt | vblade | echo) aoe_row "$row" "$@" ;;
	*) fio_row "$row" "$@" ;;
	esac
}

# fill DEVICE - pages that were never written are read as zeros from nowhere.
fill() {
	dd if=/dev/zero of="$1" bs=1M count=$((SPAN / 2048)) oflag=direct status=none
}

