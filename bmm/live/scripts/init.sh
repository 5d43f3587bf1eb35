#!/bin/busybox sh
# The live image's process 1: file systems, modules, network, then mobile-init.

/bin/busybox mkdir -p /proc /sys /dev /run /tmp /root
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox mount -t tmpfs tmpfs /run
/bin/busybox --install -s /bin
export PATH=/bin HOME=/root
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
chmod 755 /

while read -r module; do
    insmod "/lib/modules/$module" || echo "mozpool: the module $module can't be loaded"
done </lib/modules/order

# The card that the boot loader used where it tells (BOOTIF=01-aa-bb-...), else the first that there is.
boot_card() {
    mac=$(sed -n 's/.*BOOTIF=01-\([0-9a-fA-F-]*\).*/\1/p' /proc/cmdline | tr 'A-F-' 'a-f:')
    for card in /sys/class/net/*; do
        [ "${card##*/}" != lo ] || continue
        [ -z "$mac" ] || [ "$(cat "$card/address")" = "$mac" ] || continue
        echo "${card##*/}"
        return
    done
}

ip link set lo up
tries=0
until card=$(boot_card) && [ -n "$card" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || break
    usleep 100000
done
ip link set "$card" up
until udhcpc -q -n -t 5 -T 2 -i "$card" -s /bin/dhcp-script; do
    echo "mozpool: no address from DHCP yet"
    sleep 1
done

sh /bin/mobile-init
if [ "$(cat /run/mozpool/then)" = reboot ]; then
    sync
    reboot -f
fi
echo "mozpool: staying as I am until the power is cycled"
while :; do
    sleep 3600
done
