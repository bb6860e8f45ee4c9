#!/usr/bin/env bash
# The main job on real input: import a git history, read the past, fork from it, diverge, search each of them.
#   demo.sh REPOSITORY    that repository's own history
#   demo.sh --sample      a small history made on the spot
# Every command shown is the command that runs; what follows it is its output. `yore` comes from YORE_BIN or
# the PATH. Fails when yore's answer is not git's.
set -euo pipefail

if [ -n "${YORE_BIN:-}" ]; then PATH="$(dirname "$YORE_BIN"):$PATH"; fi
unset YORE_DB YORE_BRANCH
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
git=(git -c safe.directory='*' -c advice.detachedHead=false)

say() { printf '\n# %s\n' "$*"; }
show() {
    printf '$ %s\n' "$1"
    bash -c "$1" 2>&1 # no pipefail: `head` may close a pipe early
}

make_sample() {
    local repo=$1 day=1
    "${git[@]}" init -q -b main "$repo"
    commit() {
        GIT_AUTHOR_DATE="2024-05-0${day}T12:00:00Z" GIT_COMMITTER_DATE="2024-05-0${day}T12:00:00Z" \
            "${git[@]}" -C "$repo" -c user.name=Ann -c user.email=ann@example.org commit -q -a -m "$1"
        day=$((day + 1))
    }
    printf 'threshold = 10\n' >"$repo/model.conf"
    printf 'A model.\n' >"$repo/README.md"
    "${git[@]}" -C "$repo" add .
    commit 'first baseline'
    printf 'threshold = 12\n' >"$repo/model.conf"
    commit 'raise the threshold'
    "${git[@]}" -C "$repo" checkout -q -b night
    printf 'threshold = 30\n' >"$repo/model.conf"
    commit 'night shift'
    "${git[@]}" -C "$repo" checkout -q main
    printf 'A model, documented.\n' >"$repo/README.md"
    commit 'words'
    printf 'threshold = 15\n' >"$repo/model.conf"
    commit 'raise it again'
}

# The repository to import: the project's, unless it has too little history to show anything.
pick_repository() {
    local source=$1 why=
    if [ "$source" = --sample ]; then
        why='asked for a sample'
    elif ! "${git[@]}" -C "$source" rev-parse -q --verify HEAD >/dev/null 2>&1; then
        why='this is no git repository'
    elif [ "$("${git[@]}" -C "$source" rev-parse --is-shallow-repository)" = true ]; then
        why='this is a shallow clone'
    elif [ "$("${git[@]}" -C "$source" rev-list --count --first-parent HEAD)" -lt 4 ]; then
        why='this repository has almost no history'
    fi
    if [ -n "$why" ]; then
        say "$why: using a small sample history instead"
        repo=$temp/sample
        make_sample "$repo"
        branch=main
        file=model.conf
        return
    fi
    repo=$source
    if ! branch=$("${git[@]}" -C "$repo" symbolic-ref -q --short HEAD); then
        # A detached head is on no branch, and branches are what an import makes.
        say 'the checkout is on no branch: using a copy with HEAD as branch main'
        "${git[@]}" clone -q "$source" "$temp/copy"
        "${git[@]}" -C "$temp/copy" checkout -q -B main
        repo=$temp/copy
        branch=main
    fi
    # The file with the most commits behind it: something to see in the past. Markdown last, which looks odd among
    # commands.
    file=$("${git[@]}" -C "$repo" log --first-parent --no-merges --format= --name-only |
        { grep -E '^[A-Za-z0-9._/-]+$' || true; } | sort | uniq -c |
        awk '{ print ($2 ~ /\.md$/), $1, $2 }' | sort -k1,1n -k2,2nr -k3 |
        awk '{ print $3 }' | while read -r name; do
            if "${git[@]}" -C "$repo" cat-file -e "HEAD:$name" 2>/dev/null; then printf '%s\n' "$name"; fi
        done | sed -n 1p)
}

repo= branch= file=
pick_repository "${1:---sample}"
first=$("${git[@]}" -C "$repo" log --first-parent --diff-filter=A --format=%H -- "$file" | tail -n 1)
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
export NO_COLOR=1
cd "$repo"
export YORE_DB=$temp/history.yore

say "the whole history of a git repository, $("${git[@]}" rev-list --all --count) commits, into a store"
show 'git fast-export --all --show-original-ids | yore import - --format git --create'

say 'the newest commits, and one file through time'
show "yore log $branch -n 3"
show "yore history $file -b $branch -n 3"

# The oldest record that names the commit is the commit's own (a later note may quote it).
version=$(yore log "$branch" --json | { grep -F "$first" || true; } | tail -n 1 |
    sed -n 's/.*"version": *\([0-9]*\).*/\1/p')
[ -n "$version" ] || { printf 'no commit of the store says it came from %s\n' "$first" >&2; exit 1; }
say "the file as it was at its first commit (git: ${first:0:12}, yore: v$version), and now"
show "yore get $file --as-of $branch@v$version | head -n 5"
show "yore get $file --as-of $branch | wc -c"

say 'an experiment that starts at that moment; the past and the branch it came from do not move'
show "yore branch create experiment --from $branch@v$version"
show "echo 'rewritten from the past' | yore put $file - -b experiment -m 'try another way'"
show "yore get $file -b experiment"
show "yore get $file -b $branch | wc -c"
show "yore log experiment -n 2"
show 'yore branch list'

words='torn tail'
if [ "$file" = model.conf ]; then words=threshold; fi
say 'search, best first: now, as of that first commit with the ranking of then, and on the fork'
show "yore search '$words' -b $branch -k 3 --snippet 70 --ok-if-none"
show "yore search '$words' --as-of $branch@v$version -k 3 --snippet 70 --ok-if-none"
show "yore search '\"rewritten from the past\"' -b experiment --prefix $file"
show "yore search '\"rewritten from the past\"' -b $branch --prefix $file --count --ok-if-none"

say 'does git agree?'
show "yore get $file --as-of $branch@v$version | cmp - <(git show ${first:0:12}:$file) && echo 'the first is the same'"
show "yore get $file -b $branch | cmp - <(git show $branch:$file) && echo 'the newest is the same'"
show 'yore check'

say "all of it was in a temporary directory. The command: $(command -v yore)"
say 'a store of your own: yore init && yore put greeting hello && yore get greeting; yore help lists the rest'
