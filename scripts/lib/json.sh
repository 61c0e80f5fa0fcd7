# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # variables of the other parts
# SPDX-License-Identifier: GPL-2.0
#
# Lists as JSON: one array of objects.

json_begin() {
	JSON_MORE=0
	[ "$JSON" = 0 ] || printf '['
}

json_end() {
	[ "$JSON" = 0 ] || printf '\n]\n'
}

# json_item - begin the next object.
json_item() {
	[ "$JSON_MORE" = 0 ] || printf ','
	printf '\n  {'
	JSON_MORE=1 JSON_PAIRS=0
}

# json_texts NAME VALUE... - strings of this object.
json_texts() {
	while [ $# -gt 1 ]; do
		json_string "$2"
		json_raw "$1" "$REPLY"
		shift 2
	done
}

# json_finding SUBJECT PROBLEM MEND - an object.
json_finding() {
	json_item
	json_texts subject "$1" problem "$2" mend "$3"
	printf '}'
}

# json_raw NAME JSON - such as a number, of this object.
json_raw() {
	[ "$JSON_PAIRS" = 0 ] || printf ', '
	JSON_PAIRS=1
	printf '"%s": %s' "$1" "$2"
}

# json_string TEXT - in quotes.
json_string() {
	case $1 in
	*[\\\"[:cntrl:]]*) ;;
	*)
		REPLY="\"$1\""
		return
		;;
	esac
	rest=$1 REPLY=\"
	while :; do
		part=${rest%%[\\\"[:cntrl:]]*}
		REPLY=$REPLY$part
		rest=${rest#"$part"}
		case $rest in
		'') break ;;
		\\*) REPLY="$REPLY\\\\" ;;
		\"*) REPLY="$REPLY\\\"" ;;
		"$NL"*) REPLY="$REPLY\\n" ;;
		*)
			part=$(printf '%s' "${rest%"${rest#?}"}" | od -An -tx1)
			REPLY="$REPLY\\u00${part# }"
			;;
		esac
		rest=${rest#?}
	done
	REPLY="$REPLY\""
}
