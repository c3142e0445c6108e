#!/bin/sh
# make-git.sh DIR: makes git repositories of the stand-ins in DIR and prints `NAME COMMIT` of each.
# Author and dates are fixed and the user's own settings do not count: the same files, the same commits.
set -eu
[ $# -eq 1 ] || { echo "usage: make-git.sh DIR" >&2; exit 64; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cd "$1"

export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=stand-in GIT_AUTHOR_EMAIL=nobody@example.org
export GIT_COMMITTER_NAME=stand-in GIT_COMMITTER_EMAIL=nobody@example.org
export GIT_AUTHOR_DATE='2015-10-12T12:00:00Z' GIT_COMMITTER_DATE='2015-10-12T12:00:00Z'
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
umask 022

for name in mesos net-modules; do
  rm -rf "$name"
  cp -R "$here/$name" "$name"
  git -C "$name" -c init.defaultBranch=master init --quiet
  git -C "$name" add --all --force
  git -C "$name" commit --quiet --message "Stand-in for $name"
  echo "$name $(git -C "$name" rev-parse HEAD)"
done
git -C mesos tag 0.25.0
