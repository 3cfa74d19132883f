# shellcheck shell=bash
# Debian and Ubuntu packages for tests/run and .ci/run. Sourced, never executed.

# heading TEXT: to stderr, so that stdout stays the tools' own.
heading() {
    printf '\n==> %s\n' "$*" >&2
}

# elapsed SECONDS: since the given value of $SECONDS, as 3m07s.
elapsed() {
    local s=$((SECONDS - $1))
    printf '%dm%02ds' $((s / 60)) $((s % 60))
}

as_root() {
    if ((EUID == 0)); then "$@"; else sudo -n "$@"; fi
}

installed() {
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# offered PACKAGE: whether apt could install it. Releases cut Samba into packages
# differently, so some are wanted only where they exist.
offered() {
    apt-cache policy "$1" 2>/dev/null | grep -q '^  Candidate: [^(]'
}

readonly policy=/usr/sbin/policy-rc.d
readonly policy_kept=$policy.kept-by-zendesk-dirsync
readonly policy_mark='zendesk-dirsync tests'

# Packages must not start their services: these servers are wanted as programs.
# Undone by allow_services, also after an earlier run that was killed in between.
forbid_services() {
    allow_services
    trap allow_services EXIT
    if [[ -e $policy ]]; then as_root mv "$policy" "$policy_kept"; fi
    printf '#!/bin/sh\n# %s: no service starts while packages are installed\nexit 101\n' "$policy_mark" |
        as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
}

allow_services() {
    if grep -qs "$policy_mark" "$policy"; then as_root rm -f "$policy"; fi
    if [[ -e $policy_kept ]]; then as_root mv "$policy_kept" "$policy"; fi
}

# install_missing PACKAGE...: a name with a ? at its end is wanted if apt has it.
# Exits 2, naming what is missing, where it may not install.
install_missing() {
    local package missing=() wanted=() unit units=()
    command -v apt-get >/dev/null || {
        echo "no apt-get here; this needs what these Debian packages hold: ${*//\?/}" >&2
        exit 2
    }
    for package in "$@"; do
        installed "${package%\?}" || missing+=("$package")
    done
    ((${#missing[@]} > 0)) || return 0
    local may=1
    if ((EUID != 0)) && ! sudo -n true 2>/dev/null; then may=0; fi
    # What is optional and unknown to this release is no reason to ask the servers.
    if ((may)) && [[ " ${missing[*]} " == *[!?]" "* ]]; then as_root apt-get update -qq; fi
    for package in "${missing[@]}"; do
        if [[ $package != *\? ]] || offered "${package%\?}"; then wanted+=("${package%\?}"); fi
    done
    ((${#wanted[@]} > 0)) || return 0
    if ! ((may)); then
        echo "missing packages, and neither root nor sudo without a password:" >&2
        echo "    apt-get install --no-install-recommends ${wanted[*]}" >&2
        exit 2
    fi
    heading "packages: ${wanted[*]}"
    forbid_services
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${wanted[@]}" >&2
    allow_services
    trap - EXIT
    # Nor at the next boot, if it was we who brought them.
    for package in "${wanted[@]}"; do
        case $package in
            slapd | winbind | samba-ad-dc) units+=("$package") ;;
            samba) units+=(smbd nmbd samba-ad-dc) ;;
        esac
    done
    if command -v systemctl >/dev/null; then
        for unit in "${units[@]}"; do as_root systemctl disable --quiet "$unit.service" 2>/dev/null || true; done
    fi
}
