# shellcheck shell=bash
# What slapd.sh, samba.sh and stop.sh have in common. Sourced, never executed.
#
# Exit codes of all three: 0 stopped as asked, 1 a failure, 2 usage,
# 77 this machine cannot run the server (a package or a right is missing).

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export LC_ALL=C.UTF-8
# The machine's own client settings are not for throwaway servers.
export LDAPCONF=/dev/null

# 1 with --foreground.
foreground=0

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

misuse() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 2
}

cannot() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 77
}

# need PROGRAM PACKAGE
need() {
    command -v "$1" >/dev/null || cannot "needs $1 (Debian, Ubuntu: package $2)"
}

# ---- arguments ---------------------------------------------------------------

# sort_ldif ARG...: "LDIF... [--online LDIF...]" into offline=() and online=(),
# as absolute paths.
sort_ldif() {
    local arg bucket=offline
    offline=() online=()
    for arg in "$@"; do
        case $arg in
            --online) bucket=online; continue ;;
            -*) misuse "unknown option after the LDIF files began: $arg" ;;
        esac
        [[ -r $arg ]] || misuse "cannot read $arg"
        arg=$(realpath -- "$arg")
        if [[ $bucket == offline ]]; then offline+=("$arg"); else online+=("$arg"); fi
    done
}

# ---- the server's directory --------------------------------------------------

# A directory is only ever emptied when this file says that it is ours.
readonly MARK=.throwaway-ldap-server

# claim_dir DIR: an empty directory of ours; sets dir to its absolute path.
claim_dir() {
    if [[ -e $1 && ! -e $1/$MARK && -n $(ls -A -- "$1") ]]; then
        fail "$1 holds something else; name a new or an empty directory"
    fi
    if [[ -e $1/$MARK ]] && recorded_server "$1"; then
        fail "a server still runs in $1 (process $server); stop it with stop.sh $1"
    fi
    if [[ -e $1/$MARK ]]; then rm -rf -- "$1"; fi
    mkdir -p -- "$1"
    dir=$(realpath -- "$1")
    : >"$dir/$MARK"
}

# write_env KEY VALUE...: DIR/env for a harness to parse. It appears whole or not
# at all, so its presence means that the server answers.
write_env() {
    while (($# > 1)); do
        [[ $2 != *\'* ]] || fail "a quote in the value of $1"
        printf "%s='%s'\n" "$1" "$2"
        shift 2
    done >"$dir/env.new"
    mv -- "$dir/env.new" "$dir/env"
}

# ---- processes ---------------------------------------------------------------

# started_at PID: the kernel's start time of a process. With the pid it names one
# process for ever, although pids come round again. Fails for zombies, which
# linger where process 1 does not reap.
started_at() {
    local stat
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
    # The program's name is in parentheses and may hold anything.
    stat=${stat##*) }
    # shellcheck disable=SC2086 # the fields are meant to be split
    set -- $stat
    [[ $1 != [ZX] ]] || return 1
    printf '%s' "${20}"
}

# running: whether the process that launch or recorded_server named still runs.
running() {
    [[ $(started_at "$server") == "$server_started" ]]
}

# recorded_server DIR: sets server and server_started; true while it runs.
recorded_server() {
    [[ -s $1/server.pid ]] || return 1
    read -r server server_started <"$1/server.pid" || return 1
    running
}

# launch LOG COMMAND...: starts the server without a terminal or our input. In the
# foreground the kernel ends it when this script dies in whatever way. KILL,
# because a test may have frozen it, and a stopped process does not hear TERM.
launch() {
    local log=$1 tie=(setsid)
    shift
    if ((foreground)); then
        tie=()
        if setpriv --pdeathsig KILL true 2>/dev/null; then tie=(setpriv --pdeathsig KILL --); fi
    fi
    "${tie[@]}" "$@" </dev/null >"$log" 2>&1 &
    server=$!
    server_started=$(started_at "$server") || fail "the server did not start; see $log"
    printf '%s %s\n' "$server" "$server_started" >"$dir/server.pid"
}

# end_server: TERM, and KILL after 5 s.
end_server() {
    local _
    [[ -n ${server:-} ]] || return 0
    running || return 0
    kill -TERM "$server" 2>/dev/null || true
    kill -CONT "$server" 2>/dev/null || true
    for _ in {1..250}; do
        running || return 0
        sleep 0.02
    done
    kill -KILL "$server" 2>/dev/null || true
    for _ in {1..50}; do
        running || return 0
        sleep 0.02
    done
    fail "process $server survived KILL"
}

# answers URL: whether a root DSE can be read.
answers() {
    LDAPTLS_REQCERT=never ldapsearch -x -LLL -o nettimeout=2 -H "$1" -s base -b '' 1.1 >/dev/null 2>&1
}

# await_answer URL: up to 60 s; false at once when the server is gone.
await_answer() {
    local limit=$((SECONDS + 60))
    until answers "$1"; do
        running && ((SECONDS < limit)) || return 1
        sleep 0.03
    done
    running
}

# load_online LOG COMMAND...: LDIF records over LDAP; one without a changetype is
# an addition.
load_online() {
    local log=$1 file
    shift
    for file in "${online[@]}"; do
        "$@" -a -f "$file" >"$log" 2>&1 || { tail -n 5 "$log" >&2; fail "could not load $file"; }
    done
}

# hold: shows the env file and READY. In the foreground it stays until the server
# ends (exit 1), a signal comes, or standard input is closed (exit 0).
hold() {
    local code
    cat -- "$dir/env"
    echo READY
    if ! ((foreground)); then
        trap - EXIT
        return 0
    fi
    while running; do
        code=0
        # A wait that also hears the parent going away; it forks nothing.
        read -r -t 0.2 _ || code=$?
        if ((code > 0 && code <= 128)); then exit 0; fi
    done
    fail "the server ended by itself; see $dir"
}

# from_here_on_clean_up: whatever happens next, no server stays behind.
from_here_on_clean_up() {
    trap end_server EXIT
    trap 'exit 0' TERM INT HUP
}

# ---- TLS ---------------------------------------------------------------------

# make_tls NAME ADDRESS: DIR/tls/ca.pem, server.{pem,key}, client.{pem,key}, good
# for a week. Elliptic keys, because making RSA keys would be the slowest step.
# Names are in subjectAltName, the only place where rustls looks.
make_tls() {
    local tls=$dir/tls who
    mkdir -p -- "$tls"
    {
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 7 \
            -keyout "$tls/ca.key" -out "$tls/ca.pem" -subj '/CN=Throwaway directory CA' \
            -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
        printf '%s\n' basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature \
            extendedKeyUsage=serverAuth "subjectAltName=DNS:localhost,DNS:$1,IP:$2,IP:127.0.0.1,IP:::1" >"$tls/server.ext"
        printf '%s\n' basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature \
            extendedKeyUsage=clientAuth >"$tls/client.ext"
        for who in server client; do
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
                -keyout "$tls/$who.key" -out "$tls/$who.csr" -subj "/CN=${who/client/svc}"
            openssl x509 -req -in "$tls/$who.csr" -CA "$tls/ca.pem" -CAkey "$tls/ca.key" -CAcreateserial \
                -days 7 -extfile "$tls/$who.ext" -out "$tls/$who.pem"
        done
    } >"$dir/openssl.log" 2>&1 || { tail -n 5 "$dir/openssl.log" >&2; fail "openssl failed"; }
    rm -f -- "$tls"/*.csr "$tls"/*.ext "$tls"/*.srl
    chmod 600 -- "$tls"/*.key
}
