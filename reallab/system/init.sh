#!/bin/busybox sh
# Process 1 of the system that the lab installs: mounts the disk's second partition, joins the network, runs the agent.

/bin/busybox mkdir -p /proc /sys /dev /run /tmp /data
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox --install -s /bin
export PATH=/bin HOME=/root

while read -r module; do
    insmod "/lib/modules/$module" || echo "system: the module $module can't be loaded"
done </lib/modules/order

mount -t vfat /dev/vda2 /data || echo "system: the disk can't be mounted"
mkdir -p /data/tests

ip link set lo up
for card in /sys/class/net/*; do
    [ "${card##*/}" = lo ] || break
done
card=${card##*/}
ip link set "$card" up
until udhcpc -q -n -t 5 -T 2 -i "$card" -s /bin/dhcp-script; do
    echo "system: no address from DHCP yet"
done
echo "system: up"
while :; do
    nc -ll -p 20701 -e /bin/agent
    sleep 1
done
