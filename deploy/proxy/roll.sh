#!/bin/sh
# Replaces the gateways behind the proxy by new ones, of the present images and settings, without losing a request: the
# new ones start beside the old ones, which end what is in work when all new ones are ready.
#   docker compose --profile proxy build && deploy/proxy/roll.sh
# COMPOSE names another compose: COMPOSE=docker-compose deploy/proxy/roll.sh
set -eu
READY_S=120

compose="${COMPOSE:-docker compose} --profile proxy"
old=$($compose ps -q gateway)
count=$(echo "$old" | wc -w)
[ "$count" -gt 0 ] || { echo "no gateway runs; start them with $compose up -d --scale gateway=2" >&2; exit 1; }
$compose up -d --no-deps --no-recreate --scale gateway=$((2 * count)) gateway
new=$($compose ps -q gateway | grep -vxF "$old")

deadline=$(($(date +%s) + READY_S))
for container in $new; do
  until docker exec "$container" python gateway_health.py >/dev/null 2>&1; do
    if [ "$(date +%s)" -gt "$deadline" ]; then
      docker logs --tail 20 "$container" >&2
      docker rm -f $new >/dev/null
      echo "a new gateway was not ready within $READY_S s; the old ones serve on" >&2
      exit 1
    fi
    sleep 1
  done
done
for container in $old; do
  docker stop -t 30 "$container" >/dev/null
  docker rm "$container" >/dev/null
done
echo "$count gateways were replaced"
