#!/bin/sh
# What udhcpc calls with a lease; its variables are in the environment.
# shellcheck disable=SC2154 # interface, ip, mask, router, dns come from udhcpc
case $1 in
    deconfig) ip addr flush dev "$interface" ;;
    bound | renew)
        ip addr flush dev "$interface"
        ip addr add "$ip/${mask:-24}" dev "$interface"
        for gateway in $router; do
            ip route add default via "$gateway" && break
        done
        for server in $dns; do
            echo "nameserver $server"
        done >/etc/resolv.conf
        ;;
esac
