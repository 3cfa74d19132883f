#!/usr/bin/env bash
# A throwaway OpenLDAP server on loopback. Any user may run it; it touches
# nothing outside DIR.
#
#   slapd.sh [OPTION...] DIR PORT [LDIF...] [--online LDIF...]
#
# DIR    made, or emptied if an earlier run left it
# PORT   ldap and StartTLS on 127.0.0.1:PORT, ldaps on PORT+1; 0 finds a free pair
# LDIF   loaded with slapadd before the start. That is quick, but overlays do not
#        see it: groups belong after --online, which goes over LDAP (additions and
#        changes), or their members will have no memberOf.
#
# --foreground         stay; end the server when standard input is closed, a signal
#                      comes or this script dies. Tests use this.
# --suffix DN          naming context (dc=example,dc=org)
# --sync HOW           what syncprov remembers: none, plain, sessionlog (default),
#                      accesslog
# --svc-sizelimit N    what cn=svc may read unpaged (unlimited)
#
# Accounts: cn=admin,SUFFIX / admin and the reader cn=svc,SUFFIX / svcpw, which the
# certificate DIR/tls/client.pem stands for, too (SASL EXTERNAL).
# DIR/env has KEY='VALUE' lines; they are also printed, and then READY.
# Exit codes: see lib.sh. Without --foreground: stop.sh DIR.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

suffix=dc=example,dc=org sync=sessionlog svc_limit=unlimited
while [[ ${1:-} == --* ]]; do
    case $1 in
        --foreground) foreground=1; shift ;;
        --suffix) suffix=${2:?}; shift 2 ;;
        --sync) sync=${2:?}; shift 2 ;;
        --svc-sizelimit) svc_limit=${2:?}; shift 2 ;;
        *) misuse "unknown option $1" ;;
    esac
done
(($# >= 2)) || misuse "usage: slapd.sh [OPTION...] DIR PORT [LDIF...] [--online LDIF...]"
[[ $2 =~ ^[0-9]+$ ]] || misuse "PORT is a number, not $2"
[[ $suffix =~ ^dc=([a-z0-9-]+)(,dc=[a-z0-9-]+)*$ ]] || misuse "--suffix takes a DN of dc= parts, not $suffix"
dc=${BASH_REMATCH[1]}
case $sync in none | plain | sessionlog | accesslog) ;; *) misuse "unknown --sync $sync" ;; esac
port=$2

need slapd slapd
need ldapsearch ldap-utils
need openssl openssl

claim_dir "$1"
shift 2
sort_ldif "$@"
from_here_on_clean_up
mkdir -- "$dir/db" "$dir/changes"
make_tls localhost 127.0.0.1
# A copy, since AppArmor profiles go by path, and the distribution's confines
# slapd to its own directories.
cp -- "$(command -v slapd)" "$dir/slapd"

modules=(back_mdb memberof ppolicy)
[[ $sync == none ]] || modules+=(syncprov)
[[ $sync != accesslog ]] || modules+=(accesslog)
{
    for schema in core cosine nis inetorgperson; do echo "include /etc/ldap/schema/$schema.schema"; done
    echo "modulepath /usr/lib/ldap"
    printf 'moduleload %s\n' "${modules[@]}"
    cat <<CONF
pidfile $dir/slapd.pid
TLSCACertificateFile $dir/tls/ca.pem
TLSCertificateFile $dir/tls/server.pem
TLSCertificateKeyFile $dir/tls/server.key
TLSVerifyClient try
authz-regexp "^cn=svc$" "cn=svc,$suffix"
sizelimit 500
loglevel none
CONF
    if [[ $sync == accesslog ]]; then
        cat <<CONF

database mdb
suffix cn=changes
rootdn "cn=admin,$suffix"
directory $dir/changes
maxsize 1073741824
dbnosync
index reqStart,reqEnd,reqResult,reqDN,entryCSN,objectClass eq
CONF
    fi
    cat <<CONF

# The administrator may change the configuration while the server runs, so that a test
# can take rights away; the changes are gone with the server.
database config
rootdn "cn=admin,$suffix"

database mdb
suffix "$suffix"
rootdn "cn=admin,$suffix"
rootpw admin
directory $dir/db
maxsize 4294967296
# It may lose its data with the power; it may not be slow.
dbnosync
index objectClass,entryUUID,entryCSN,modifyTimestamp eq
index uid,mail,cn,sn,member,memberOf,uniqueMember eq
limits dn.exact="cn=svc,$suffix" size.soft=$svc_limit size.hard=$svc_limit size.pr=unlimited size.prtotal=unlimited time=unlimited
access to attrs=userPassword by self write by anonymous auth by * none
access to * by dn.exact="cn=svc,$suffix" read by self read by anonymous auth by * none

# Keeps member values in step with renamed and deleted entries, and at once; the
# refint overlay would do it a moment later.
overlay memberof
memberof-group-oc groupOfNames
memberof-dangling ignore
memberof-refint TRUE
overlay ppolicy
CONF
    case $sync in
        none) ;;
        plain) printf 'overlay syncprov\nsyncprov-checkpoint 100 10\n' ;;
        sessionlog) printf 'overlay syncprov\nsyncprov-checkpoint 100 10\nsyncprov-sessionlog 10000\n' ;;
        # In this order: syncprov looks for a log that the next overlay makes.
        accesslog)
            printf 'overlay syncprov\nsyncprov-checkpoint 100 10\nsyncprov-sessionlog-source cn=changes\n'
            printf 'overlay accesslog\nlogdb cn=changes\nlogops writes\nlogsuccess TRUE\nlogpurge 07+00:00 01+00:00\n'
            ;;
    esac
} >"$dir/slapd.conf"

cat >"$dir/base.ldif" <<LDIF
dn: $suffix
objectClass: dcObject
objectClass: organization
dc: $dc
o: $dc

dn: cn=svc,$suffix
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: svc
userPassword: svcpw
LDIF
# Without threads: slapadd with two of them damages its heap on large loads. -w
# stores the contextCSN.
for file in "$dir/base.ldif" "${offline[@]}"; do
    "$dir/slapd" -T add -q -w -f "$dir/slapd.conf" -b "$suffix" -l "$file" >"$dir/slapadd.log" 2>&1 ||
        { tail -n 5 "$dir/slapadd.log" >&2; fail "slapadd could not load $file"; }
done

# start PORT: slapd writes its pid file after it has bound every address, which
# tells our server from another one that answers on the port.
start() {
    rm -f -- "$dir/slapd.pid"
    launch "$dir/slapd.log" "$dir/slapd" -d 0 -f "$dir/slapd.conf" \
        -h "ldap://127.0.0.1:$1 ldaps://127.0.0.1:$(($1 + 1))"
    until [[ -s $dir/slapd.pid ]]; do
        running || return 1
        sleep 0.02
    done
    await_answer "ldap://127.0.0.1:$1"
}

if ((port > 0)); then
    start "$port" || { tail -n 5 "$dir/slapd.log" >&2; fail "slapd did not start; is port $port or $((port + 1)) taken?"; }
else
    for _ in {1..20}; do
        # Below the range from which the kernel gives out ports by itself.
        port=$((12000 + RANDOM % 10000 * 2))
        if start "$port"; then break; fi
        port=0
    done
    ((port > 0)) || { tail -n 5 "$dir/slapd.log" >&2; fail "slapd did not start on any of 20 ports"; }
fi
load_online "$dir/online.log" ldapmodify -x -H "ldap://127.0.0.1:$port" -D "cn=admin,$suffix" -w admin

write_env LDAP_KIND openldap \
    LDAP_URL "ldap://127.0.0.1:$port" LDAPS_URL "ldaps://127.0.0.1:$((port + 1))" LDAP_CA "$dir/tls/ca.pem" \
    LDAP_BASE "$suffix" LDAP_ADMIN_DN "cn=admin,$suffix" LDAP_ADMIN_PW admin \
    LDAP_BIND_DN "cn=svc,$suffix" LDAP_BIND_PW svcpw \
    LDAP_CLIENT_CERT "$dir/tls/client.pem" LDAP_CLIENT_KEY "$dir/tls/client.key" LDAP_PID "$server"
hold
