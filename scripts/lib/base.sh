# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # variables of the other parts
# SPDX-License-Identifier: GPL-2.0
#
# What every part of aoetgt(8) stands on: messages, the configfs tree, the lock.
# Processes are few, and variables have no `local`: a function leaves its answer
# in REPLY and the reason of a failure in WHY. It reports a failure by its
# status, with "|| return 1" on each line that may fail, since -e does not hold
# in a function whose status somebody looks at. Words are split and never globbed:
set -f holds but where a pattern is meant.

# --- messages -------------------------------------------------------------

note() {
	printf '%s: %s\n' "$PROGRAM" "$*" >&2
}

die() {
	note "$*"
	exit 1
}

misuse() {
	note "$*; see $PROGRAM --help"
	exit 2
}

# kernel_says WHO WHAT - WHY is the last refusal in the kernel's log that is
# about it, or empty. Each refusal has a line, so that is the one we caused.
kernel_says() {
	WHY=$(dmesg 2>/dev/null | tail -n 50 | {
		found=
		while IFS= read -r line; do
			# shellcheck disable=SC2254 # a pattern on purpose
			case $line in
			*"aoetgt: $1: "$2': -E'*) found=${line#*aoetgt: } ;;
			esac
		done
		printf '%s' "$found"
	})
}

# in_background - the kernel's lines on disks that are still being closed.
in_background() {
	dmesg 2>/dev/null | tail -n 200 | {
		closing=$NL
		while IFS= read -r line; do
			line=${line#*aoetgt: }
			who=${line%%: *}
			case $line in
			"target e"*"in the background"*) closing=$closing$line$NL ;;
			"target e"*": disabled")
				# It has ended since.
				case $closing in
				*"$NL$who: "*)
					rest=${closing#*"$NL$who: "}
					closing=${closing%%"$NL$who: "*}$NL${rest#*"$NL"}
					;;
				esac
				;;
			esac
		done
		printf '%s' "$closing"
	}
}

# --- text -----------------------------------------------------------------

# field KEY - the value of a line "KEY=value" of TEXT.
field() {
	REPLY=${TEXT#*"$NL$1="}
	REPLY=${REPLY%%"$NL"*}
}

# replace KEY VALUE - in TEXT.
replace() {
	rest=${TEXT#*"$NL$1="}
	TEXT=${TEXT%%"$NL$1="*}$NL$1=$2$NL${rest#*"$NL"}
}

# has_word WORD LIST
has_word() {
	case " $2 " in
	*" $1 "*) ;;
	*) return 1 ;;
	esac
	# Two neighbours are no word.
	case $1 in
	*' '*) return 1 ;;
	esac
}

# sorted WORD... - each once, in order.
sorted() {
	if [ $# -gt 8 ]; then
		# shellcheck disable=SC2046 # words
		set -- $(printf '%s\n' "$@" | sort -u)
		REPLY=$*
		return
	fi
	REPLY=
	for word; do
		has_word "$word" "$REPLY" || insert "$word"
	done
}

# insert WORD - where it belongs in REPLY.
insert() {
	before='' after=''
	for other in $REPLY; do
		# shellcheck disable=SC3012 # dash has it, and POSIX since 2024
		if [ -z "$after" ] && [ "$other" \< "$1" ]; then
			before="$before$other "
		else
			after="$after $other"
		fi
	done
	REPLY=$before$1$after
}

# id_of TARGET - what can be part of a variable's name.
id_of() {
	ID=${1%%.*}_${1#*.}
}

# --- configfs -------------------------------------------------------------

# get PATH - the first line of a file below targets/, in REPLY.
get() {
	REPLY=
	# The last line may have no newline; an attribute may vanish.
	{ IFS= read -r REPLY || :; } 2>/dev/null <"$TARGETS/$1" || REPLY=
}

# get_words PATH - all lines, with a blank between.
get_words() {
	REPLY=
	{
		while IFS= read -r word; do
			REPLY="$REPLY${REPLY:+ }$word"
		done <"$TARGETS/$1"
	} 2>/dev/null || :
}

# put PATH VALUE - or WHY not, in the kernel's words. The path begins with the
# target's name.
put() {
	{ printf '%s\n' "$2" >"$TARGETS/$1"; } 2>/dev/null && return 0
	put_refused "$1" "$2"
}

# put_refused PATH VALUE - a write has failed. The log of the kernel has the
# reason; who cannot read it gets what errno says, for which tee writes again.
put_refused() {
	who_what "$1"
	if [ ! -w "$TARGETS/$1" ]; then
		WHY="$WHO: cannot write $WHAT: it takes root"
		return 1
	fi
	case $WHAT in
	enable) kernel_says "$WHO" '*' ;;
	*) kernel_says "$WHO" "$WHAT: *" ;;
	esac
	[ -z "$WHY" ] || return 1
	message=$(printf '%s\n' "$2" | tee "$TARGETS/$1" 2>&1 >/dev/null) && return 0
	WHY="$WHO: $WHAT: \"$2\": ${message##*: }"
	return 1
}

# who_what PATH - e7.1/views/MAC/device is WHAT device of WHO "target e7.1 view
# MAC", as the kernel names them.
who_what() {
	WHAT=${1##*/} WHO="target ${1%%/*}"
	case $1 in
	*/views/*)
		WHO="$WHO view ${1#*/views/}"
		WHO=${WHO%/*}
		;;
	esac
}

# make_dirs TARGET PATH... - directories below targets/ that belong to it, all
# or the reason WHY the first one is missing.
make_dirs() {
	target=$1
	shift
	message=$(cd "$TARGETS" && mkdir "$@" 2>&1) && return 0
	for path; do
		[ -d "$TARGETS/$path" ] || break
	done
	name=${path##*/}
	case $path in
	*/interfaces/*)
		kernel_says "target $target" "*$name*"
		what="interface $name"
		;;
	*/views/*)
		kernel_says "target $target" "views: *$name*"
		what="view $name"
		;;
	*)
		kernel_says "target $target" '*'
		what='mkdir'
		;;
	esac
	message=${message%%"$NL"*}
	WHY=${WHY:-target $target: $what: ${message##*: }}
	return 1
}

# remove_dirs PATH...
remove_dirs() {
	message=$(cd "$TARGETS" && rmdir "$@" 2>&1) && return 0
	message=${message%%"$NL"*}
	# Which of them it is: rmdir: failed to remove 'e7.1/views/...': ...
	path=${message#*"'"}
	is_target "${path%%[\'/]*}" || path=$1
	WHY="target ${path%%[\'/]*}: cannot remove it: ${message##*: }"
	return 1
}

# names_in PATH - the directories in a directory below targets/, in REPLY.
names_in() {
	REPLY=
	set +f
	for dir in "$TARGETS/$1"/*/; do
		[ -d "$dir" ] || continue
		dir=${dir%/}
		REPLY="$REPLY${REPLY:+ }${dir##*/}"
	done
	set -f
}

# all_targets - their names by number, in REPLY.
all_targets() {
	names_in .
	case $REPLY in
	*' '*)
		# shellcheck disable=SC2086 # words
		REPLY=$(printf '%s\n' $REPLY | sort -V)
		;;
	esac
}

# is_target WORD - has it the form of an address? The kernel checks the range.
is_target() {
	case $1 in
	e*.*.* | *[!e.0-9]* | e.* | *. | ?*e*) return 1 ;;
	e[0-9]*.[0-9]*) return 0 ;;
	esac
	return 1
}

need_address() {
	is_target "$1" || misuse "$1: not the address of a target, such as e7.1"
}

need_target() {
	need_address "$1"
	[ -d "$TARGETS/$1" ] || die "no such target: $1"
}

# need_module - have the configfs tree, whatever that takes.
need_module() {
	[ ! -d "$TARGETS" ] || return 0
	[ -d /sys/module/aoetgt ] || message=$(modprobe aoetgt 2>&1) ||
		die "cannot load the module: ${message##*"$NL"}"
	[ -d "$TARGETS" ] || message=$(mount -t configfs configfs "$CONFIGFS" 2>&1) ||
		die "cannot mount configfs: ${message##*"$NL"}"
	[ -d "$TARGETS" ] || die "the module has not made $TARGETS"
}

# module_version - of the one that is loaded, else our own.
module_version() {
	REPLY=$VERSION
	[ ! -r "$MODULE_VERSION" ] || IFS= read -r REPLY <"$MODULE_VERSION"
}

# --- one at a time --------------------------------------------------------

# lock - until this process ends; whoever holds it may change exports.
lock() {
	[ -d "$RUN/loops" ] || mkdir -p "$RUN/loops" 2>/dev/null ||
		die "cannot make $RUN: it takes root"
	# As a special built-in, exec would end the shell itself.
	{ command exec 9>>"$RUN/lock"; } 2>/dev/null || die "cannot lock: it takes root"
	flock -w 60 9 || die "another aoetgt has been at work for a minute"
}

# await TARGET - restore is to try again when its disk comes; whoever changes the
# export by another command has a last word: see no_longer_awaited.
await() {
	mkdir -p "$RUN/waiting" && : >"$RUN/waiting/$1"
}

no_longer_awaited() {
	for name; do
		[ ! -e "$RUN/waiting/$name" ] || rm -f "$RUN/waiting/$name"
	done
}

# --- files ----------------------------------------------------------------

# write_file FILE WRITER KEEP - atomically: whoever reads it, or loses power, has the
# old one or the new one. KEEP older ones are FILE.1 and so on.
write_file() {
	file=$(readlink -f -- "$1") || die "$1: no such directory"
	# A device must not become a file.
	[ ! -e "$file" ] || [ -f "$file" ] || die "$file: not a regular file"
	# Daemons that read all files of a directory leave out a name with a dot in front.
	TEMPORARY=$(mktemp "${file%/*}/.${file##*/}.XXXXXX" 2>&1) || {
		message=${TEMPORARY##*: } TEMPORARY=
		die "$file: cannot write it: $message"
	}
	# cat tells of a disk that is full; printf would do so once a line. The dot
	# tells that the writer has come to its end: before what cat has to say or
	# after it, but not in between.
	written=1
	message=$({ { "$2" && printf . >&3; } | {
		said=$({ cat >"$TEMPORARY" && sync "$TEMPORARY"; } 2>&1) || { printf '%s' "$said"; exit 1; }
	}; } 3>&1 2>&1) || written=0
	case $written$message in
	1*.) ;;
	*)
		message=${message%.}
		die "$file: cannot write it: ${message##*: }"
		;;
	esac
	if [ -e "$file" ]; then
		if same_content "$file" "$TEMPORARY"; then
			rm -f "$TEMPORARY"
			TEMPORARY=
			return 0
		fi
		chmod --reference="$file" "$TEMPORARY"
		chown --reference="$file" "$TEMPORARY" 2>/dev/null || :
		[ "$3" = 0 ] || keep_generations "$file" "$3"
	else
		chmod 644 "$TEMPORARY"
	fi
	mv -T "$TEMPORARY" "$file" || die "$file: cannot replace it"
	TEMPORARY=
	sync "${file%/*}/" 2>/dev/null || :
}

same_content() {
	# shellcheck disable=SC2046 # words
	set -- $(cksum <"$1") $(cksum <"$2")
	[ "$1 $2" = "$3 $4" ]
}

# keep_generations FILE COUNT - the present one becomes FILE.1; as a second
# name, so that there is a FILE at every moment.
keep_generations() {
	generation=$2
	while [ "$generation" -gt 1 ]; do
		[ ! -e "$1.$((generation - 1))" ] ||
			mv -T "$1.$((generation - 1))" "$1.$generation"
		generation=$((generation - 1))
	done
	ln "$1" "$1.1" 2>/dev/null || cp -p "$1" "$1.1"
}
