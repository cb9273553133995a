#!/bin/sh
# Makes what a server with TLS and tokens needs, for a trial or where no authority of your own is at hand:
#   deploy/make-secrets.sh FOLDER NAME...
# FOLDER gets ca.pem and ca.key, server.pem and server.key for the names (DNS or IP addresses), tokens.toml, and the
# tokens themselves: pipeline.token (read, write) and operator.token (all scopes). What is there already stays.
# As root the server's files go to user 10001, whom the image runs as. Keep ca.key and the tokens elsewhere.
set -eu
umask 077
[ $# -ge 2 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
folder=$1
shift
mkdir -p "$folder"
cd "$folder"

names=
for name in "$@"; do
    case $name in
        *:*) kind=IP ;;
        *[!0-9.]*) kind=DNS ;;
        *) kind=IP ;;
    esac
    names="$names${names:+,}$kind:$name"
done

key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }

if [ ! -e ca.pem ]; then
    key ca.key
    openssl req -x509 -key ca.key -out ca.pem -subj "/CN=Baznashr's own authority" -days 3650 \
        -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign,cRLSign
fi
if [ ! -e server.pem ]; then
    key server.key
    printf 'subjectAltName=%s\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n' "$names" > server.ext
    openssl req -new -key server.key -subj "/CN=baznashr" |
        openssl x509 -req -CA ca.pem -CAkey ca.key -days 365 -extfile server.ext -out server.pem
    rm server.ext
fi
if [ ! -e tokens.toml ]; then
    for caller in 'pipeline "read", "write"' 'operator "read", "write", "admin"'; do
        name=${caller%% *}
        printf 'bzr_%s' "$(openssl rand -hex 32)" > "$name.token"
        digest=$(openssl dgst -sha256 -r "$name.token" | cut -d ' ' -f 1)
        printf '[[token]]\nname = "%s"\nsha256 = "%s"\nscopes = [%s]\n\n' "$name" "$digest" "${caller#* }" >> tokens.toml
    done
fi
if [ "$(id -u)" = 0 ]; then
    chmod 711 .
    chown 10001:10001 server.pem server.key tokens.toml
fi
