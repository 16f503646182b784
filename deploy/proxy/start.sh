#!/bin/sh
# Makes nginx's configuration from the service's settings and starts nginx. Plain POSIX: the image may be Alpine or Debian.
set -eu

fail() {
  echo "proxy: $*" >&2
  exit 2
}

seconds() { awk -v s="$1" 'BEGIN { printf "%dms", s * 1000 }'; }

certificate=${DEEPHAR_TLS_CERTIFICATE:-} key=${DEEPHAR_TLS_KEY:-} client_ca=${DEEPHAR_GRPC_CLIENT_CA:-}
for file in "$certificate" "$key" "$client_ca"; do
  [ -z "$file" ] || [ -r "$file" ] || fail "$file cannot be read; put it into deploy/certificates, readable for user $(id -u), and name it /certificates/..."
done
tls="" listen="" clients=""
if [ -n "$certificate$key" ]; then
  [ -n "$certificate" ] || fail "DEEPHAR_TLS_KEY is set without DEEPHAR_TLS_CERTIFICATE"
  [ -n "$key" ] || fail "DEEPHAR_TLS_CERTIFICATE is set without DEEPHAR_TLS_KEY"
  tls="  ssl_certificate $certificate; ssl_certificate_key $key; ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:tls:4m;"
  tls="$tls add_header Strict-Transport-Security max-age=31536000 always;" # the gateways do not know of TLS
  listen=" ssl"
fi
if [ -n "$client_ca" ]; then
  [ -n "$certificate" ] || fail "DEEPHAR_GRPC_CLIENT_CA is set without DEEPHAR_TLS_CERTIFICATE"
  clients="    ssl_client_certificate $client_ca; ssl_verify_client on; ssl_verify_depth 3;"
fi

# nginx 1.25.1 made HTTP/2 a directive. Before it, HTTP/2 without TLS shares no port with HTTP/1.1.
if nginx -v 2>&1 | sed 's/.*nginx\///' | awk -F. '{ exit !($1 > 1 || $2 > 25 || ($2 == 25 && $3 + 0 >= 1)) }'; then
  rest_listen=$listen grpc_listen=$listen rest_http2="http2 on;" grpc_http2="http2 on;"
else
  rest_listen=$listen${listen:+ http2} grpc_listen="$listen http2" rest_http2="" grpc_http2=""
fi

# As the service's own limit: base64 in JSON takes four bytes for three, and a form has more than its file.
max_body=$(awk -v video="${DEEPHAR_MAX_VIDEO_BYTES:-268435456}" -v picture="${DEEPHAR_MAX_IMAGE_BYTES:-20971520}" \
  'BEGIN { printf "%.0f", (picture > video ? picture : video) * 1.4 + 1048576 }')
stream_timeout=$(awk -v idle="${DEEPHAR_STREAM_IDLE_S:-60}" 'BEGIN { print idle + 10 }')
resolver=$(awk '$1 == "nameserver" { print $2; exit }' /etc/resolv.conf)

make() {
  sed -e "s|@RESOLVER@|$resolver|" -e "s|@CONNECTIONS@|${PROXY_CONNECTIONS:-512}|" \
    -e "s|@HEADER_TIMEOUT@|$(seconds "${DEEPHAR_HEADER_TIMEOUT_S:-10}")|" \
    -e "s|@BODY_TIMEOUT@|$(seconds "${DEEPHAR_BODY_TIMEOUT_S:-20}")|" \
    -e "s|@WRITE_TIMEOUT@|$(seconds "${DEEPHAR_WRITE_TIMEOUT_S:-20}")|" \
    -e "s|@STREAM_TIMEOUT@|$(seconds "$stream_timeout")|" -e "s|@MAX_BODY@|$max_body|" \
    -e "s|@TLS@|$tls|" -e "s|@GRPC_CLIENTS@|$clients|" \
    -e "s|@REST_LISTEN@|$rest_listen|" -e "s|@GRPC_LISTEN@|$grpc_listen|" \
    -e "s|@REST_HTTP2@|$rest_http2|" -e "s|@GRPC_HTTP2@|$grpc_http2|" "$(dirname "$0")/nginx.conf"
}

make >/tmp/nginx.conf
nginx -e stderr -t -q -c /tmp/nginx.conf || fail "nginx does not take the configuration made of deploy/proxy/nginx.conf and the settings"

# New certificates are used without a restart.
if [ -n "$certificate" ]; then
  (
    digest() { cat "$certificate" "$key" ${client_ca:+"$client_ca"} 2>/dev/null | cksum; }
    used=$(digest)
    while sleep 10; do
      new=$(digest)
      if [ "$new" != "$used" ] && nginx -e stderr -t -q -c /tmp/nginx.conf && nginx -e stderr -c /tmp/nginx.conf -s reload; then
        used=$new
        echo "proxy: the new certificates are used" >&2
      fi
    done
  ) &
fi
echo "proxy: ${certificate:+TLS, }REST on 8080, gRPC on 8081" >&2
exec nginx -e stderr -c /tmp/nginx.conf
