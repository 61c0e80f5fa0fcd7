# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Packages of other Debian suites, without touching the machine's own apt:
# lists, cache and sources are private to the cache directory. The archive's
# address is asked of the machine's apt, never written down. Needs host.sh.

# archive_uri SUITE - the address of the archive that carries the suite.
archive_uri() {
	local wanted='^bookworm$|^stable$|^oldstable$'
	case $1 in
	*-security) wanted='-security$' ;;
	esac
	# shellcheck disable=SC2016 # apt expands it
	apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 2>/dev/null |
		awk -v wanted="$wanted" '$2 ~ wanted { print $1; exit }'
}

# source_line SUITE - one line for sources.list; nothing if unreachable.
source_line() {
	local uri
	uri=$(archive_uri "$1")
	if [ -n "$uri" ]; then
		printf 'deb [signed-by=%s] %s %s main\n' \
			/usr/share/keyrings/debian-archive-keyring.gpg "$uri" "$1"
	fi
}

# suite_apt SUITE TOOL ARGS... - run an apt tool that knows this suite only,
# so that the newest version it carries is the candidate whatever its pin.
suite_apt() {
	local dir=$CACHE/apt/$1 tool=$2
	shift 2
	"$tool" \
		-o Dir::State="$dir/state" -o Dir::State::status="$dir/state/status" \
		-o Dir::Cache="$dir/cache" -o Dir::Etc::sourcelist="$dir/sources.list" \
		-o Dir::Etc::sourceparts="$dir/none" -o Dir::Etc::preferences=/dev/null \
		-o Dir::Etc::preferencesparts="$dir/none" -o Acquire::Languages=none \
		-o APT::Architecture=amd64 -o Acquire::Retries=3 -o APT::Sandbox::User=root \
		-o 'Acquire::Check-Valid-Until=false' -o 'Acquire::Check-Date=false' "$@"
}

# suite_update SUITE - fetch the suite's index, at most once a day.
suite_update() {
	local dir=$CACHE/apt/$1
	if [ -n "$(find "$dir/updated" -mmin -1440 2>/dev/null)" ]; then
		return 0
	fi
	mkdir -p "$dir/none" "$dir/state/lists/partial" "$dir/cache/archives/partial"
	: >"$dir/state/status"
	source_line "$1" >"$dir/sources.list"
	[ -s "$dir/sources.list" ] || return 1
	suite_apt "$1" apt-get -q update >"$dir/update.log" 2>&1 ||
		{ tail -n 5 "$dir/update.log" >&2; return 1; }
	touch "$dir/updated"
}

# suite_depends SUITE META PATTERN - the first package matching the pattern
# among those that the newest meta package depends on.
suite_depends() {
	suite_apt "$1" apt-cache --no-all-versions show "$2" |
		sed -n 's/^Depends: //p' | head -n 1 | tr ',|' '\n' |
		awk -v want="$3" '$1 ~ want { print $1; exit }'
}
