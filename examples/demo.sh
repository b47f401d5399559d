#!/bin/sh
# The main job on an invented municipality of 250 people: three runs, and what to try next. Called by `make demo`.
set -eu
command=${EADM_SYNC:-eadm-sync}
case $command in */*) command=$(cd "$(dirname "$command")" && pwd)/$(basename "$command") ;; esac
cd "$(dirname "$0")/.."

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n%s\n' "$*"; }
run() { say "\$ eadm-sync $*"; "$command" "$@"; }

# A folder to play in: the example configuration as it stands, with its rules and its people.
rm -rf demo
mkdir demo
cp config.example.yaml demo/config.yaml
cp -R rulesets demo/rulesets
mkdir -p demo/examples
cp -R examples/kommune demo/examples/kommune
cd demo
"$command" key new var/eadm-sync.key

say "1. The first run: everybody is new."
run sync --yes

say "2. The second run: nothing has changed, so there is nothing to do."
run sync --yes

say "3. HR sends its file of the next day. What would happen?"
cp -R ../examples/kommune-changed/. examples/kommune/
run plan || [ $? -eq 2 ]

say "4. The third run does exactly that."
run sync --yes

cat <<'END'

Everything is in the folder `demo`. Try next:

  cd demo
  ../.venv/bin/eadm-sync status                    one screen
  ../.venv/bin/eadm-sync people list               who is there
  ../.venv/bin/eadm-sync explain hr:001028         why somebody has what they have
  ../.venv/bin/eadm-sync runs list                 what was done
  edit rulesets/employees.yaml, then
  ../.venv/bin/eadm-sync plan                      what your edit would do, before it does

Take your own files: `eadm-sync init` writes a configuration to begin with, README.md and docs/ tell the rest.
END
