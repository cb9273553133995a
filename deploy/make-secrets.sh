#!/bin/sh
# Makes what a server with TLS and tokens needs, for a trial or where no authority of your own is at hand:
#   deploy/make-secrets.sh FOLDER NAME...
# FOLDER gets ca.pem and ca.key, server.pem and server.key for the names (DNS or IP addresses), tokens.toml, and the
# tokens themselves: pipeline.token (read, write) and operator.token (all scopes). What is there already stays: for other
# names, or before the certificate's year is over, remove server.pem and run it again where ca.key is.
# As root the server's files go to user 10001, whom the image runs as. Keep ca.key and the tokens elsewhere.
set -eu
umask 077
[ $# -ge 2 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
folder=$1
shift

names=
for name in "$@"; do
    case $name in
        '' | -* | *[!0-9A-Za-z.:*-]*) kind= ;;
        *:*) kind=IP; case $name in *[!0-9A-Fa-f:.]*) kind= ;; esac ;;
        *[!0-9.]*) kind=DNS ;;
        *) kind=IP ;;
    esac
    [ "$kind" ] || { echo "$0: '$name' is neither a host's name nor an IP address" >&2; exit 2; }
    names="$names${names:+,}$kind:$name"
done

mkdir -p "$folder"
cd "$folder"
# Files get their names when they are whole, so that a run that was ended does not leave half of them to the next.
new=$(mktemp -d ./.new.XXXXXX)
trap 'rm -rf "$new"' EXIT
trap 'exit 1' HUP INT TERM

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }
settle() { for file in "$@"; do mv "$new/$file" "$file"; done; }

if [ ! -e ca.pem ]; then
    key "$new/ca.key"
    openssl req -x509 -key "$new/ca.key" -out "$new/ca.pem" -subj "/CN=Baznashr's own authority" -days 3650 \
        -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign,cRLSign
    settle ca.key ca.pem
fi
if [ ! -e server.pem ]; then
    key "$new/server.key"
    printf 'subjectAltName=%s\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n' "$names" > "$new/server.ext"
    openssl req -new -key "$new/server.key" -subj "/CN=baznashr" -out "$new/server.csr"
    openssl x509 -req -in "$new/server.csr" -CA ca.pem -CAkey ca.key -days 365 -extfile "$new/server.ext" \
        -out "$new/server.pem"
    settle server.key server.pem
fi
if [ ! -e tokens.toml ]; then
    for caller in 'pipeline "read", "write"' 'operator "read", "write", "admin"'; do
        name=${caller%% *}
        secret=$(openssl rand -hex 32)
        printf 'bzr_%s' "$secret" > "$new/$name.token"
        digest=$(openssl dgst -sha256 -r "$new/$name.token")
        printf '[[token]]\nname = "%s"\nsha256 = "%s"\nscopes = [%s]\n\n' "$name" "${digest%% *}" "${caller#* }" \
            >> "$new/tokens.toml"
    done
    settle pipeline.token operator.token tokens.toml
fi
if [ "$(id -u)" = 0 ]; then
    # Files that were given to a group since, and folders that others may enter, stay as they are.
    find . -maxdepth 0 -perm 700 -exec chmod 711 {} +
    find server.pem server.key tokens.toml -perm 600 -exec chown 10001:10001 {} +
fi
echo "$folder/server.pem:"
openssl x509 -in server.pem -noout -text | grep -E 'Not After|DNS:|IP Address:' | sed 's/^ */    /'
