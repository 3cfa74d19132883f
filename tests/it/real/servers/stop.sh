#!/usr/bin/env bash
# Ends the server that slapd.sh or samba.sh started in DIR, and no other process.
#
#   stop.sh DIR [--rm]
#
# --rm   and remove DIR
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

(($# == 1)) || [[ $# == 2 && $2 == --rm ]] || misuse "usage: stop.sh DIR [--rm]"
[[ -e $1/$MARK ]] || misuse "$1 is not the directory of a throwaway server"
if recorded_server "$1"; then end_server; fi
if (($# == 2)); then rm -rf -- "$1"; fi
