#!/bin/sh
# Creates a certificate authority, and certificates from it as the agent reads them: NAME/tls.crt and NAME/tls.key.
#
#   once                 creates myexample-credential for *.aliyun.com if it does not exist
#   renew NAME HOST...   replaces the certificate and key with new ones for these hosts
#   authority            prints the authority's certificate
set -eu
umask 077

authority() {
    [ -f /authority/ca.crt ] && return
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
        -subj "/CN=Example Authority" -addext keyUsage=critical,keyCertSign,cRLSign \
        -keyout /authority/ca.key -out /authority/ca.crt 2>/dev/null
}

renew() {
    name=$1
    shift
    folder=/certificates/$name
    names=$(printf 'DNS:%s,' "$@")
    mkdir -p "$folder"
    chmod 755 /certificates "$folder"
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
        -addext "subjectAltName=${names%,}" -addext extendedKeyUsage=serverAuth \
        -keyout "$folder/.tls.key" -out /authority/request 2>/dev/null
    openssl x509 -req -in /authority/request -days 90 -copy_extensions copy \
        -CA /authority/ca.crt -CAkey /authority/ca.key -out "$folder/.tls.crt" 2>/dev/null
    # Only the agent may read the key. Each file is complete before it gets its name; the agent waits until both match.
    chmod 444 "$folder/.tls.crt"
    chmod 400 "$folder/.tls.key"
    chown 65532 "$folder/.tls.key"
    mv "$folder/.tls.key" "$folder/tls.key"
    mv "$folder/.tls.crt" "$folder/tls.crt"
    openssl x509 -in "$folder/tls.crt" -noout -serial
}

authority
case ${1:-} in
once) [ -f /certificates/myexample-credential/tls.crt ] || renew myexample-credential '*.aliyun.com' ;;
renew) shift && renew "$@" ;;
authority) cat /authority/ca.crt ;;
*) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
esac
