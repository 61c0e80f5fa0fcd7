# shellcheck shell=sh
# shellcheck disable=SC2034,SC2153,SC2154 # variables of the other parts
# SPDX-License-Identifier: GPL-2.0
#
# The commands that only look. They start as few processes as they can: a list
# of some thousand targets is read with the shell's own read. They hold no lock,
# so a target may go while they look.

# size_text SECTORS - with a unit, rounded down to a tenth.
size_text() {
	sectors=$1
	for unit in K M G T P; do
		# Tenths of this unit; a sector is half a KiB.
		case $unit in
		K) tenths=$((sectors * 5)) ;;
		*) tenths=$((tenths / 1024)) ;;
		esac
		[ "$tenths" -ge 10240 ] || break
	done
	REPLY=$((tenths / 10)).$((tenths % 10))$unit
}

# bindings_text TARGET - "eth0 eth1(down)", in REPLY.
bindings_text() {
	text=
	names_in "$1/interfaces"
	for name in $REPLY; do
		get "$1/interfaces/$name/state"
		[ "$REPLY" != up ] || REPLY=
		text="$text${text:+ }$name${REPLY:+($REPLY)}"
	done
	REPLY=$text
}

cmd_list() {
	format='%-12s %-9s %9s  %-24s %s\n'
	json_begin
	# shellcheck disable=SC2059 # one format for head and rows
	[ "$JSON" = 1 ] || printf "$format" TARGET STATE SIZE DEVICE INTERFACES
	all_targets
	for target in $REPLY; do
		get "$target/state"
		state=$REPLY
		get "$target/size"
		size=${REPLY:-0}
		get "$target/device"
		source_of "$REPLY"
		device=$REPLY
		if [ "$JSON" = 1 ]; then
			list_json
			continue
		fi
		bindings_text "$target"
		bound=$REPLY
		size_text "$size"
		# shellcheck disable=SC2059
		printf "$format" "$target" "$state" "$REPLY" "$device" "$bound"
	done
	json_end
}

list_json() {
	json_item
	json_texts target "$target" state "$state"
	json_raw sectors "$size"
	json_texts device "$device"
	bindings_json
	printf '}'
}

# bindings_json - of target.
bindings_json() {
	names_in "$target/interfaces"
	bound='' names=$REPLY
	for name in $names; do
		get "$target/interfaces/$name/state"
		state=$REPLY
		get "$target/interfaces/$name/netdev"
		json_string "$REPLY"
		netdev=$REPLY
		json_string "$name"
		bound="$bound${bound:+, }{\"name\": $REPLY, \"state\": \"$state\", \"netdev\": $netdev}"
	done
	json_raw interfaces "[$bound]"
}

# --- show -----------------------------------------------------------------

# show_value TARGET FILE - its text on one line, fit for a terminal.
show_value() {
	case $2 in
	config_string) read_string "$1" ;;
	mac_mask | reserved_by) get_words "$1/$2" ;;
	*) get "$1/$2" ;;
	esac
}

cmd_show() {
	need_target "$1"
	measure "$1"
	target=$1
	if [ "$JSON" = 1 ]; then
		show_json
		return
	fi
	set +f
	for file in "$TARGETS/$1"/*; do
		[ -f "$file" ] || continue
		show_value "$1" "${file##*/}"
		printf '%-16s%s\n' "${file##*/}" "$REPLY"
	done
	set -f
	get "$1/device"
	device=$REPLY
	source_of "$device"
	[ "$REPLY" = "$device" ] || printf '%-16s%s\n' file "$REPLY"
	names_in "$1/views"
	for name in $REPLY; do
		get "$1/views/$name/state"
		state=$REPLY
		get "$1/views/$name/device"
		source_of "$REPLY"
		printf '%-16s%s %s %s\n' view "$name" "$state" "$REPLY"
	done
	names_in "$1/interfaces"
	for name in $REPLY; do
		get "$1/interfaces/$name/state"
		state=$REPLY
		get "$1/interfaces/$name/netdev"
		[ "$REPLY" != "$name" ] || REPLY=
		printf '%-16s%s %s%s\n' interface "$name" "$state" "${REPLY:+, now called $REPLY}"
	done
}

show_json() {
	json_begin
	json_item
	json_texts target "$target"
	set +f
	for file in "$TARGETS/$target"/*; do
		[ -f "$file" ] || continue
		name=${file##*/}
		show_value "$target" "$name"
		case $name in
		device)
			device=$REPLY
			source_of "$device"
			file_or_disk=$REPLY
			json_texts device "$device" source "$file_or_disk"
			;;
		offset | length | buffer_count | max_sectors | size | enable | read_only | \
			discard | mac_mask_remote)
			json_raw "$name" "$REPLY"
			;;
		mac_mask | reserved_by) json_words "$name" "$REPLY" ;;
		*) json_texts "$name" "$REPLY" ;;
		esac
	done
	set -f
	bindings_json
	views_json
	printf '}'
	json_end
}

# json_words NAME LIST
json_words() {
	words=
	for word in $2; do
		words="$words${words:+, }\"$word\""
	done
	json_raw "$1" "[$words]"
}

views_json() {
	names_in "$target/views"
	views='' names=$REPLY
	for name in $names; do
		get "$target/views/$name/state"
		state=$REPLY
		get "$target/views/$name/size"
		size=$REPLY
		get "$target/views/$name/read_only"
		read_only=$REPLY
		get "$target/views/$name/device"
		source_of "$REPLY"
		json_string "$REPLY"
		views="$views${views:+, }{\"client\": \"$name\", \"state\": \"$state\", \"sectors\": $size, \"read_only\": $read_only, \"device\": $REPLY}"
	done
	json_raw views "[$views]"
}

# --- counters -------------------------------------------------------------

STATS_ROW="accepted replied dropped in_flight read_sectors write_sectors ata_errors aoe_errors"

# stats_all TARGET - every counter, and the rows of the latency table that are
# not empty.
stats_all() {
	set +f
	for file in "$TARGETS/$1/stats"/*; do
		[ -e "$file" ] || continue
		[ "${file##*/}" != latency ] || continue
		get "$1/stats/${file##*/}"
		printf '%-16s%20s\n' "${file##*/}" "$REPLY"
	done
	set -f
	printf '\n'
	while read -r lower queue disk total; do
		[ "$queue $disk $total" != "0 0 0" ] || continue
		printf '%-16s%20s%20s%20s\n' "$lower" "$queue" "$disk" "$total"
	done 2>/dev/null <"$TARGETS/$1/stats/latency" || die "no such target: $1"
}

# stats_json TARGET - every counter, and the whole latency table.
stats_json() {
	json_item
	json_texts target "$1"
	set +f
	for file in "$TARGETS/$1/stats"/*; do
		[ -e "$file" ] || continue
		[ "${file##*/}" != latency ] || continue
		get "$1/stats/${file##*/}"
		json_raw "${file##*/}" "${REPLY:-0}"
	done
	set -f
	rows=
	{
		read -r _
		while read -r lower queue disk total; do
			rows="$rows${rows:+, }{\"from_us\": $lower, \"queue\": $queue, \"disk\": $disk, \"total\": $total}"
		done
	} 2>/dev/null <"$TARGETS/$1/stats/latency" || :
	json_raw latency "[$rows]"
	printf '}'
}

cmd_stats() {
	watching=0 interval=1 reports='' wanted=
	while [ $# -gt 0 ]; do
		case $1 in
		--watch) watching=1 ;;
		--interval | --count)
			[ $# -gt 1 ] || misuse "$1: needs a value"
			number "$2" 1 86400 || misuse "$1: $2: expected $EXPECTED"
			case $1 in
			--interval) interval=$REPLY ;;
			*) reports=$REPLY ;;
			esac
			shift
			;;
		-*) misuse "stats: unknown option: $1" ;;
		*)
			[ -z "$wanted" ] || misuse "stats: too many arguments"
			need_target "$1"
			wanted=$1
			;;
		esac
		shift
	done
	if [ "$watching" = 1 ]; then
		[ "$JSON" = 0 ] || misuse "stats: --json or --watch"
		stats_watch
	elif [ "$JSON" = 1 ]; then
		json_begin
		wanted_targets
		for target in $REPLY; do
			stats_json "$target"
		done
		json_end
	elif [ -n "$wanted" ]; then
		stats_all "$wanted"
	else
		stats_table
	fi
}

wanted_targets() {
	REPLY=$wanted
	[ -n "$wanted" ] || all_targets
}

stats_table() {
	printf '%-12s' TARGET
	printf ' %13s' ACCEPTED REPLIED DROPPED IN_FLIGHT READ_SECTORS WRITE_SECTORS \
		ATA_ERRORS AOE_ERRORS
	printf '\n'
	all_targets
	for target in $REPLY; do
		printf '%-12s' "$target"
		for name in $STATS_ROW; do
			get "$target/stats/$name"
			printf ' %13s' "${REPLY:-0}"
		done
		printf '\n'
	done
}

# stats_watch - rates, every so many seconds, until somebody ends it. The first
# report is since the target was made, as with iostat.
stats_watch() {
	first=1 report=0
	while :; do
		read -r now _ </proc/uptime
		[ "$first" = 1 ] || span "$now" "$then"
		[ "$first" = 0 ] || HUNDREDTHS=0
		then=$now
		watch_report
		report=$((report + 1)) first=0
		[ "$report" != "$reports" ] || return 0
		sleep "$interval"
	done
}

# span NOW THEN - of two times of /proc/uptime, in HUNDREDTHS, at least 1.
span() {
	hundredths "$1"
	HUNDREDTHS=$REPLY
	hundredths "$2"
	HUNDREDTHS=$((HUNDREDTHS - REPLY))
	[ "$HUNDREDTHS" -gt 0 ] || HUNDREDTHS=1
}

hundredths() {
	REPLY=${1#*.}
	REPLY=$((${1%.*} * 100 + ${REPLY#0}))
}

watch_report() {
	printf '%-12s %10s %10s %10s %10s %10s %9s %9s\n' TARGET READS/s WRITES/s READ_KB/s \
		WRITE_KB/s OTHER/s DROPS/s IN_FLIGHT
	wanted_targets
	for target in $REPLY; do
		[ -d "$TARGETS/$target" ] || continue
		id_of "$target"
		printf '%-12s' "$target"
		rate reads 1
		rate writes 1
		rate read_sectors 2
		rate write_sectors 2
		others "$target"
		rate_of other "$REPLY" 1 10
		get "$target/stats/dropped"
		rate_of dropped "${REPLY:-0}" 1 9
		get "$target/stats/in_flight"
		printf ' %9s\n' "${REPLY:-0}"
	done
	printf '\n'
}

# rate COUNTER DIVISOR
rate() {
	get "$target/stats/$1"
	rate_of "$1" "${REPLY:-0}" "$2" 10
}

# rate_of NAME VALUE DIVISOR WIDTH - print its growth a second.
rate_of() {
	eval "before=\${R_${ID}_$1-0}; R_${ID}_$1=\$2"
	if [ "$HUNDREDTHS" = 0 ]; then
		printf " %$4s" "$(($2 / $3))"
	else
		printf " %$4s" "$((($2 - before) * 100 / HUNDREDTHS / $3))"
	fi
}

# others TARGET - requests that move no data.
others() {
	sum=0
	for name in verifies flushes trims identifies configs masks reserves other; do
		get "$1/stats/$name"
		sum=$((sum + ${REPLY:-0}))
	done
	REPLY=$sum
}

# --- clients --------------------------------------------------------------

need_debugfs() {
	[ -d /sys/module/aoetgt ] || die "the module aoetgt is not loaded"
	[ -e "$1" ] || mount -t debugfs debugfs "$DEBUGFS" 2>/dev/null || true
	[ -r "$1" ] || die "cannot read $1: it takes root, and a kernel with debugfs"
}

cmd_clients() {
	need_debugfs "$CLIENTS"
	json_begin
	while read -r target client ifname seen requests bytes errors; do
		if [ "$JSON" = 0 ]; then
			printf '%-12s %-18s %-16s %16s %12s %16s %8s\n' "$target" "$client" "$ifname" \
				"$seen" "$requests" "$bytes" "$errors"
		elif [ "$target" != target ]; then
			json_item
			json_texts target "$target" client "$client" interface "$ifname"
			json_raw last_seen_ms "$seen"
			json_raw requests "$requests"
			json_raw bytes "$bytes"
			json_raw errors "$errors"
			printf '}'
		fi
	done <"$CLIENTS"
	json_end
}

# --- metrics --------------------------------------------------------------

# metric NAME TYPE HELP
metric() {
	printf '# HELP aoetgt_%s %s\n# TYPE aoetgt_%s %s\n' "$1" "$3" "$1" "$2"
}

cmd_metrics() {
	if [ $# -gt 0 ]; then
		case $1 in
		--output) [ $# -eq 2 ] || misuse "--output: needs a file" ;;
		*) misuse "metrics: unknown option: $1" ;;
		esac
		write_file "$2" metrics_text 0
		return
	fi
	metrics_text
}

metrics_text() {
	metric module_loaded gauge "Whether the kernel module is loaded."
	if [ ! -d "$TARGETS" ]; then
		printf 'aoetgt_module_loaded 0\n'
		return
	fi
	printf 'aoetgt_module_loaded 1\n'
	module_version
	metric module_info gauge "Version of the kernel module."
	printf 'aoetgt_module_info{version="%s"} 1\n' "$REPLY"
	all_targets
	targets=$REPLY
	metrics_state
	metrics_counters
	metrics_latency
	metrics_interfaces
}

# label TEXT - escaped for a label's value.
label() {
	REPLY=$1
	case $1 in
	*[\\\"]*)
		json_string "$1"
		REPLY=${REPLY#?}
		REPLY=${REPLY%?}
		;;
	esac
}

metrics_state() {
	metric target_info gauge "The disk of a target."
	for target in $targets; do
		get "$target/device"
		source_of "$REPLY"
		label "$REPLY"
		printf 'aoetgt_target_info{target="%s",device="%s"} 1\n' "$target" "$REPLY"
	done
	metric target_online gauge "1 if the target serves its disk, 0 if it is disabled or the disk is gone."
	for target in $targets; do
		get "$target/state"
		case $REPLY in
		online) REPLY=1 ;;
		*) REPLY=0 ;;
		esac
		printf 'aoetgt_target_online{target="%s"} %s\n' "$target" "$REPLY"
	done
	metric target_size_bytes gauge "Size of the export."
	for target in $targets; do
		get "$target/size"
		printf 'aoetgt_target_size_bytes{target="%s"} %s\n' "$target" "$((${REPLY:-0} * 512))"
	done
	metric target_in_flight gauge "Requests under way."
	for target in $targets; do
		get "$target/stats/in_flight"
		printf 'aoetgt_target_in_flight{target="%s"} %s\n' "$target" "${REPLY:-0}"
	done
	metric target_interface_up gauge "1 if the interface of a target is up and has a carrier."
	for target in $targets; do
		names_in "$target/interfaces"
		for name in $REPLY; do
			get "$target/interfaces/$name/state"
			case $REPLY in
			up) REPLY=1 ;;
			*) REPLY=0 ;;
			esac
			label_value=$REPLY
			label "$name"
			printf 'aoetgt_target_interface_up{target="%s",interface="%s"} %s\n' \
				"$target" "$REPLY" "$label_value"
		done
	done
}

# counter NAME FILE HELP [FACTOR]
counter() {
	metric "$1" counter "$3"
	for target in $targets; do
		get "$target/stats/$2"
		printf 'aoetgt_%s{target="%s"} %s\n' "$1" "$target" "$((${REPLY:-0} * ${4-1}))"
	done
}

metrics_counters() {
	counter accepted_total accepted "Frames that named the target."
	counter replied_total replied "Requests that were answered."
	counter read_bytes_total read_sectors "Bytes that reads asked for." 512
	counter written_bytes_total write_sectors "Bytes that writes asked for." 512
	counter ata_errors_total ata_errors "Answers with an ATA error."
	counter aoe_errors_total aoe_errors "Answers with an AoE error."
	metric requests_total counter "Requests by kind."
	for target in $targets; do
		for name in reads writes verifies flushes trims identifies configs masks reserves other; do
			get "$target/stats/$name"
			printf 'aoetgt_requests_total{target="%s",kind="%s"} %s\n' "$target" "$name" "${REPLY:-0}"
		done
	done
	metric dropped_total counter "Requests that ended without an answer, by reason."
	for target in $targets; do
		set +f
		for file in "$TARGETS/$target/stats"/drop_*; do
			[ -e "$file" ] || continue
			name=${file##*/}
			get "$target/stats/$name"
			printf 'aoetgt_dropped_total{target="%s",reason="%s"} %s\n' \
				"$target" "${name#drop_}" "${REPLY:-0}"
		done
		set -f
	done
}

# metrics_latency - as a histogram without sum, which the module does not keep.
metrics_latency() {
	metric latency_seconds histogram "Time of requests: waiting (queue), at the disk (disk), until the answer (total)."
	for target in $targets; do
		queue_sum=0 disk_sum=0 total_sum=0 buckets_queue='' buckets_disk='' buckets_total=
		{
			read -r _
			while read -r lower queue disk total; do
				# A row ends where the next begins.
				[ "$lower" = 0 ] || bound_latency "$lower"
				queue_sum=$((queue_sum + queue)) disk_sum=$((disk_sum + disk))
				total_sum=$((total_sum + total))
			done
		} 2>/dev/null <"$TARGETS/$target/stats/latency" || continue
		printf '%s' "$buckets_queue"
		latency_end queue "$queue_sum"
		printf '%s' "$buckets_disk"
		latency_end disk "$disk_sum"
		printf '%s' "$buckets_total"
		latency_end total "$total_sum"
	done
}

# bound_latency MICROSECONDS - one bucket of each, up to there.
bound_latency() {
	seconds=$(($1 / 1000000)) micro=$((1000000 + $1 % 1000000))
	bound=$seconds.${micro#1}
	buckets_queue="${buckets_queue}aoetgt_latency_seconds_bucket{target=\"$target\",stage=\"queue\",le=\"$bound\"} $queue_sum$NL"
	buckets_disk="${buckets_disk}aoetgt_latency_seconds_bucket{target=\"$target\",stage=\"disk\",le=\"$bound\"} $disk_sum$NL"
	buckets_total="${buckets_total}aoetgt_latency_seconds_bucket{target=\"$target\",stage=\"total\",le=\"$bound\"} $total_sum$NL"
}

# latency_end STAGE COUNT
latency_end() {
	printf 'aoetgt_latency_seconds_bucket{target="%s",stage="%s",le="+Inf"} %s\n' "$target" "$1" "$2"
	printf 'aoetgt_latency_seconds_count{target="%s",stage="%s"} %s\n' "$target" "$1" "$2"
}

# metrics_interfaces - if there is debugfs.
metrics_interfaces() {
	[ -r "$DEBUGFS/aoetgt/interfaces" ] || return 0
	frames='' drops=
	{
		read -r _ _ columns
		while read -r ifname netns values; do
			label "$ifname"
			where="interface=\"$REPLY\",netns=\"$netns\""
			for column in $columns; do
				value=${values%% *}
				values=${values#* }
				case $column in
				drop_*) drops="${drops}aoetgt_interface_dropped_total{$where,reason=\"${column#drop_}\"} $value$NL" ;;
				frames) frames="${frames}aoetgt_interface_frames_total{$where} $value$NL" ;;
				esac
			done
		done
	} <"$DEBUGFS/aoetgt/interfaces"
	metric interface_frames_total counter "AoE frames that came in on an interface."
	printf '%s' "$frames"
	metric interface_dropped_total counter "Frames that reached no target, by reason."
	printf '%s' "$drops"
}
