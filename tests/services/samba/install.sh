#!/bin/sh
# Installs what the tests' own Active Directory domain controller is made of (Debian, Ubuntu; root). Starts no service.
set -eu
# --check only says what is missing; --kerberos adds what `pip install eadm-sync[kerberos]` needs.

what_is_missing() {
    [ -x /usr/sbin/samba ] && [ -d /usr/share/samba/setup ] && /usr/bin/python3 -c 'import samba.provision' 2>/dev/null &&
        ls /usr/lib/*/samba/ldb/samldb.so >/dev/null 2>&1 && return
    echo "samba samba-dsdb-modules samba-vfs-modules samba-ad-provision"
}

missing=$(what_is_missing)
if [ "${1:-}" = --kerberos ] && ! command -v krb5-config >/dev/null; then # what the package gssapi is built from
    missing="$missing gcc libkrb5-dev python3-dev"
fi
[ -n "$missing" ] || exit 0
if [ "${1:-}" = --check ] || [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "The Active Directory tests need $missing: run $0 as root" >&2
    exit 1
fi

# Packages of services start them; a policy of this kind, where there is none, keeps them from it.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi
apt-get update -qq
# shellcheck disable=SC2086 - several words are meant
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
