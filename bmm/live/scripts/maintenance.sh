# Second stage: lets administrators in by SSH, and stays.
#
# Settings (JSON): authorized_keys  ["ssh-ed25519 AAAA... somebody", ...]
#                  ssh_port         22 unless set

event maint_mode
read_settings
port=$(number ssh_port 22) || exit 1

home=$(awk -F : '$3 == 0 { print $6; exit }' "${LIVE_PASSWD:-/etc/passwd}")
mkdir -p "${home:=/root}/.ssh"
chmod 700 "$home" "$home/.ssh"
count=0
while key=$(setting "authorized_keys.$((count + 1))"); do
    printf '%s\n' "$key"
    count=$((count + 1))
done >"$home/.ssh/authorized_keys"
chmod 600 "$home/.ssh/authorized_keys"

if [ "$(setting authorized_keys.1 '')" = '' ]; then
    report "maintenance: authorized_keys is not set, so nobody can log in by SSH; the console is left"
elif ! command -v dropbear >/dev/null; then
    report "maintenance: this live image has no dropbear, so nobody can log in by SSH; the console is left"
else
    host_key=$LIVE_RUN/host-key
    [ -s "$host_key" ] || dropbearkey -t ed25519 -f "$host_key" >/dev/null 2>&1 || give_up "no host key can be made"
    # Keys only, and no forwarding: the device is a way into the rack's network for nobody.
    dropbear -s -j -k -m -p "$port" -r "$host_key" -P "$LIVE_RUN/dropbear.pid" || give_up "dropbear does not start"
    report "maintenance: log in as root by SSH at port $port; host key" \
        "$(dropbearkey -y -f "$host_key" | sed -n 's/^Fingerprint: //p')"
fi
finish stay
