#!/usr/bin/env bash
# A throwaway Samba Active Directory domain controller that serves LDAP alone, on
# a loopback address of its own. It touches nothing outside DIR and the template.
#
#   samba.sh [OPTION...] DIR ADDRESS [LDIF...] [--online LDIF...]
#
# DIR       made, or emptied if an earlier run left it
# ADDRESS   of 127.0.0.0/8, or "auto" for one that no other run of this script has.
#           Samba has no setting for the ports (389, 636, 3268, 3269), so servers
#           are told apart by address, and it takes root (or sudo) to bind them.
# LDIF      loaded before the start, straight into the database (additions, or
#           changes if the file has a changetype). After --online: over LDAP.
#
# --foreground     stay; end the server when standard input is closed, a signal
#                  comes or this script dies. Tests use this.
# --realm NAME     the domain (AD.EXAMPLE.ORG)
# --require-tls    refuse simple binds without TLS, as Windows can be told to
#
# Provisioning a domain takes some seconds, so it is done once and copied:
# SAMBA_TEMPLATE names the directory for it (.cache/samba beside servers/ unless
# given; empty for none). Copies share SIDs, GUIDs and the invocation id.
#
# Accounts: Administrator / Passw0rd!adm; svc-sync / Passw0rd!svc, an ordinary user;
# svc-dirsync / Passw0rd!svc, which may replicate changes and read deleted objects.
# DIR/env has KEY='VALUE' lines; they are also printed, and then READY.
# Exit codes: see lib.sh. Without --foreground: stop.sh DIR.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$here/lib.sh"
# Raise when a template made by an older version of this script no longer fits.
readonly TEMPLATE_FORMAT=1

realm=AD.EXAMPLE.ORG strong_auth=no
arguments=("$@")
while [[ ${1:-} == --* ]]; do
    case $1 in
        --foreground) foreground=1; shift ;;
        --realm) realm=${2:?}; shift 2 ;;
        --require-tls) strong_auth=yes; shift ;;
        *) misuse "unknown option $1" ;;
    esac
done
(($# >= 2)) || misuse "usage: samba.sh [OPTION...] DIR ADDRESS [LDIF...] [--online LDIF...]"
[[ $realm =~ ^[A-Z0-9-]+(\.[A-Z0-9-]+)+$ ]] || misuse "--realm takes a name like AD.EXAMPLE.ORG, not $realm"
# An address after our pid belongs to nobody else while we run.
if [[ $2 == auto ]]; then address=127.$((64 + ($$ >> 16))).$(($$ >> 8 & 255)).$(($$ & 255)); else address=$2; fi
[[ $address =~ ^127(\.[0-9]{1,3}){3}$ ]] || misuse "ADDRESS is of 127.0.0.0/8 or auto, not $2"
dns=${realm,,}
base=DC=${dns//./,DC=}
workgroup=${realm%%.*}

if ((EUID != 0)); then
    sudo -n true 2>/dev/null || cannot "needs root, for ports below 1024"
    tell=()
    if [[ -n ${SAMBA_TEMPLATE+set} ]]; then tell=("SAMBA_TEMPLATE=$SAMBA_TEMPLATE"); fi
    exec sudo -n env "${tell[@]}" "$here/samba.sh" "${arguments[@]}"
fi
need samba samba
need samba-tool samba-common-bin
need ldbadd ldb-tools
need ldapsearch ldap-utils
need openssl openssl
compgen -G '/usr/lib/*/samba/vfs/acl_xattr.so' >/dev/null || cannot "needs vfs acl_xattr (package samba-vfs-modules)"
compgen -G '/usr/lib/*/samba/ldb/samba_dsdb.so' >/dev/null || cannot "needs the ldb modules (package samba-dsdb-modules)"

# write_conf DIR: every path that Samba would put under /var or /run otherwise.
write_conf() {
    mkdir -p -- "$1"/{private,state,cache,lock,run,log,ncalrpc,binddns,sysvol/"$dns"/scripts}
    cat >"$1/smb.conf" <<CONF
[global]
netbios name = DC1
workgroup = $workgroup
realm = $realm
server role = active directory domain controller
server services = ldap
dcerpc endpoint servers = -mgmt
disable netbios = yes
# Without the /8 no interface is found, and nothing listens.
interfaces = $address/8
bind interfaces only = yes
ldap server require strong auth = $strong_auth
tls enabled = yes
tls cafile = $1/tls/ca.pem
tls certfile = $1/tls/server.pem
tls keyfile = $1/tls/server.key
private dir = $1/private
state directory = $1/state
cache directory = $1/cache
lock directory = $1/lock
pid directory = $1/run
ncalrpc dir = $1/ncalrpc
binddns dir = $1/binddns
winbindd socket directory = $1/run/winbindd
ntp signd socket directory = $1/run/ntp_signd
log file = $1/log/samba.log
# Extended attributes in a file, so that every file system will do.
posix:eadb = $1/private/eadb.tdb
load printers = no
printing = bsd
printcap name = /dev/null
[sysvol]
path = $1/sysvol
read only = no
[netlogon]
path = $1/sysvol/$dns/scripts
read only = no
CONF
}

# give_back PATH...: to the user who came through sudo, who must be able to remove it.
give_back() {
    [[ -z ${SUDO_UID:-} ]] || chown -R -- "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" "$@"
}

# value_of ATTRIBUTE: from ldbsearch output, folded lines joined.
value_of() {
    sed -e ':a' -e 'N' -e '$!ba' -e 's/\n //g' | sed -n "s/^$1: //p"
}

# provision DIR: the domain and its accounts.
provision() {
    local sam=$1/private/sam.ldb conf=$1/smb.conf account sid acl
    write_conf "$1"
    {
        samba-tool domain provision --configfile="$conf" --realm="$realm" --domain="$workgroup" --server-role=dc \
            --dns-backend=NONE --adminpass='Passw0rd!adm' --host-name=dc1 --host-ip="$address"
        for account in svc-sync svc-dirsync; do
            samba-tool user create "$account" 'Passw0rd!svc' -H "$sam" --configfile="$conf"
            samba-tool user setexpiry "$account" --noexpiry -H "$sam" --configfile="$conf"
        done
        sid=$(ldbsearch -H "$sam" --configfile="$conf" '(sAMAccountName=svc-dirsync)' objectSid | value_of objectSid)
        # DS-Replication-Get-Changes: DirSync over the whole domain.
        samba-tool dsacl set -H "$sam" --configfile="$conf" --objectdn="$base" \
            --sddl="(OA;;CR;1131f6aa-9c07-11d1-f79f-00c04fc2dcd2;;$sid)"
        # Read and list on the container of deleted objects, which hides them from
        # ordinary users. samba-tool does not reach it.
        acl=$(ldbsearch -H "$sam" --configfile="$conf" --show-deleted -s base -b "CN=Deleted Objects,$base" \
            nTSecurityDescriptor | value_of nTSecurityDescriptor)
        [[ $acl == *'(A;;RPLC;;;BA)'* ]]
        printf '%s\n' "dn: CN=Deleted Objects,$base" 'changetype: modify' 'replace: nTSecurityDescriptor' \
            "nTSecurityDescriptor: ${acl/'(A;;RPLC;;;BA)'/"(A;;RPLC;;;BA)(A;;RPLC;;;$sid)"}" |
            ldbmodify -H "$sam" --configfile="$conf" --show-deleted
    } >"$1/log/provision.log" 2>&1
}

# provision_or_fail DIR: in a job of its own, since bash overlooks failing steps in
# whatever stands before "||".
provision_or_fail() {
    provision "$1" &
    wait $! || { tail -n 5 "$1/log/provision.log" >&2; fail "the domain could not be provisioned"; }
}

# fill_template DIR: unless an earlier run made what this one needs. Runs at the
# same time wait for one another.
fill_template() {
    local want
    want="format $TEMPLATE_FORMAT, $(samba --version), $realm"
    if [[ ! -d $(dirname "$1") ]]; then
        mkdir -p -- "$(dirname "$1")"
        give_back "$(dirname "$1")"
    fi
    exec {lock}>"$1.lock"
    flock "$lock"
    if [[ "$(cat -- "$1/complete" 2>/dev/null)" != "$want" ]]; then
        if [[ -e $1 && ! -e $1/$MARK ]]; then fail "$1 is not a template; SAMBA_TEMPLATE names another directory"; fi
        rm -rf -- "$1"
        mkdir -- "$1"
        : >"$1/$MARK"
        provision_or_fail "$1"
        printf '%s\n' "$want" >"$1/complete"
        give_back "$1" "$1.lock"
    fi
    cp -a --no-preserve=ownership --sparse=always -- "$1/." "$dir/"
    exec {lock}>&-
    rm -f -- "$dir/complete"
}

claim_dir "$1"
shift 2
sort_ldif "$@"
from_here_on_clean_up
trap 'end_server; give_back "$dir"' EXIT
template=${SAMBA_TEMPLATE-$here/../.cache/samba}
if [[ -n $template ]]; then
    fill_template "$(realpath -m -- "$template")"
    write_conf "$dir"
else
    provision_or_fail "$dir"
fi
# Without certificates of ours, Samba would make RSA keys of 4096 bits.
rm -rf -- "$dir/tls"
make_tls "dc1.$dns" "$address"

for file in "${offline[@]}"; do
    if grep -q '^changetype:' "$file"; then tool=ldbmodify; else tool=ldbadd; fi
    "$tool" -H "$dir/private/sam.ldb" --configfile="$dir/smb.conf" --nosync "$file" >"$dir/log/load.log" 2>&1 ||
        { tail -n 5 "$dir/log/load.log" >&2; fail "$tool could not load $file"; }
done

# A foreign server on the address would answer in place of ours.
if answers "ldap://$address"; then fail "something serves LDAP on $address already"; fi
launch "$dir/samba.out" samba -F --no-process-group -M single -s "$dir/smb.conf" -l "$dir/log"
await_answer "ldap://$address" || { tail -n 5 "$dir/samba.out" "$dir"/log/samba.log >&2; fail "samba did not start"; }
secure=()
[[ $strong_auth == no ]] || secure=(-ZZ)
LDAPTLS_CACERT=$dir/tls/ca.pem load_online "$dir/log/online.log" \
    ldapmodify -x "${secure[@]}" -H "ldap://$address" -D "Administrator@$dns" -w 'Passw0rd!adm'

write_env LDAP_KIND active-directory \
    LDAP_URL "ldap://$address" LDAPS_URL "ldaps://$address" LDAP_CA "$dir/tls/ca.pem" \
    LDAP_BASE "$base" LDAP_ADMIN_DN "Administrator@$dns" LDAP_ADMIN_PW 'Passw0rd!adm' \
    LDAP_BIND_DN "svc-sync@$dns" LDAP_BIND_PW 'Passw0rd!svc' \
    LDAP_DIRSYNC_DN "svc-dirsync@$dns" LDAP_DIRSYNC_PW 'Passw0rd!svc' LDAP_PID "$server"
hold
