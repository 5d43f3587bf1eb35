# Second stage: tests storage, memory and network, tells what it found, and whether the device may go back into the pool.
# What was on the disk is lost where it is tested.
#
# Settings (JSON); a part without its settings is left out, except memory:
#   storage  {"disk": ..., "at_least_mb": 0, "sample_mb": 8, "samples": 5}   written, read back, compared
#   scan     {"disk": ..., "samples": 64}                                    read only: a megabyte here and there
#   memory   {"at_least_mb": 0, "sample_mb": 16}
#   network  {"url": ..., "sha256": ..., "at_least_kb_per_second": 0}
#   hashes   [{"disk": ..., "start_mb": 0, "size_mb": 1, "sha256": ...}, ...]  what must be there before anything is written

failures=0
failed() {
    failures=$((failures + 1))
    report "self-test: FAILED: $*"
}

now() { # milliseconds since the machine was switched on
    awk '{ print int($1 * 1000) }' /proc/uptime
}

piece() { # DISK START_MB SIZE_MB: writes it to stdout, from the disk itself where the kernel lets us forget its copy
    { echo 1 >/proc/sys/vm/drop_caches; } 2>/dev/null
    dd if="$1" bs=1M skip="$2" count="$3" 2>/dev/null
}

sum() {
    sha256sum | cut -c1-64
}

test_hashes() {
    n=1
    while disk=$(setting "hashes.$n.disk"); do
        start=$(number "hashes.$n.start_mb" 0) && size=$(number "hashes.$n.size_mb" 1) || exit 1
        [ "$(piece "$disk" "$start" "$size" | sum)" = "$(setting "hashes.$n.sha256" '')" ] ||
            failed "$disk from $start MB on, $size MB: not the checksum that was expected"
        n=$((n + 1))
    done
}

test_scan() {
    disk=$(setting scan.disk) || return 0
    samples=$(number scan.samples 64) || exit 1
    [ -r "$disk" ] || { failed "there is no disk $disk"; return 0; }
    size=$(megabytes "$disk")
    n=0
    bad=0
    while [ "$n" -lt "$samples" ]; do
        at=$((size * n / samples))
        [ "$(piece "$disk" "$at" 1 | wc -c)" -eq 1048576 ] || bad=$((bad + 1))
        n=$((n + 1))
    done
    facts="$facts, \"unreadable\": $bad"
    [ "$bad" -eq 0 ] || failed "$bad of $samples places of $disk can't be read"
}

test_storage() {
    disk=$(setting storage.disk) || return 0
    least=$(number storage.at_least_mb 0) && sample=$(number storage.sample_mb 8) && samples=$(number storage.samples 5) ||
        exit 1
    { [ -b "$disk" ] || [ -f "$disk" ]; } || { failed "there is no disk $disk"; return 0; }
    size=$(megabytes "$disk")
    facts="$facts, \"disk_mb\": $size"
    [ "$size" -ge "$least" ] || failed "$disk has $size MB, less than $least"
    [ "$size" -ge "$sample" ] || { failed "$disk is too small to be tested"; return 0; }
    head -c "$((sample * 1048576))" /dev/urandom >"$LIVE_RUN/pattern"
    wanted=$(sum <"$LIVE_RUN/pattern")
    n=0
    writing=0
    reading=0
    while [ "$n" -lt "$samples" ]; do
        # From the very beginning to the very end, evenly.
        at=$(((size - sample) * n / (samples > 1 ? samples - 1 : 1)))
        began=$(now)
        dd if="$LIVE_RUN/pattern" of="$disk" bs=1M seek="$at" conv=notrunc,fsync 2>"$LIVE_RUN/dd" ||
            { failed "$disk can't be written at $at MB: $(sed -n '/^dd: /{p;q}' "$LIVE_RUN/dd")"; break; }
        between=$(now)
        [ "$(piece "$disk" "$at" "$sample" | sum)" = "$wanted" ] || failed "$disk at $at MB: reads other than was written"
        writing=$((writing + between - began))
        reading=$((reading + $(now) - between))
        n=$((n + 1))
    done
    rm -f "$LIVE_RUN/pattern"
    done_mb=$((n * sample))
    facts="$facts, \"write_kb_per_second\": $((done_mb * 1024000 / (writing + 1)))"
    facts="$facts, \"read_kb_per_second\": $((done_mb * 1024000 / (reading + 1)))"
}

test_memory() {
    least=$(number memory.at_least_mb 0) && sample=$(number memory.sample_mb 16) || exit 1
    size=$(awk '$1 == "MemTotal:" { print int($2 / 1024) }' /proc/meminfo)
    facts="\"memory_mb\": $size, \"processors\": $(grep -c '^processor' /proc/cpuinfo)"
    [ "$size" -ge "$least" ] || failed "there are $size MB of memory, less than $least"
    # The run folder is in memory.
    head -c "$((sample * 1048576))" /dev/urandom >"$LIVE_RUN/memory"
    first=$(sum <"$LIVE_RUN/memory")
    for _ in 1 2 3; do
        [ "$(sum <"$LIVE_RUN/memory")" = "$first" ] || failed "$sample MB of memory read differently from time to time"
    done
    rm -f "$LIVE_RUN/memory"
}

test_network() {
    url=$(setting network.url) || return 0
    least=$(number network.at_least_kb_per_second 0) || exit 1
    began=$(now)
    rm -f "$LIVE_RUN/bytes"
    mkfifo "$LIVE_RUN/bytes"
    wc -c <"$LIVE_RUN/bytes" >"$LIVE_RUN/count" &
    found=$(LIVE_TIMEOUT=600 get "$url" | tee "$LIVE_RUN/bytes" | sum)
    wait $!
    rate=$(($(cat "$LIVE_RUN/count") * 1000 / 1024 / ($(now) - began + 1)))
    facts="$facts, \"network_kb_per_second\": $rate"
    wanted=$(setting network.sha256 '')
    [ -z "$wanted" ] || [ "$found" = "$wanted" ] || failed "$url: not the checksum that was expected"
    [ "$rate" -ge "$least" ] || failed "the network gives $rate kB/s, less than $least"
}

event self_test_running
read_settings
test_memory
test_hashes
test_scan
test_storage
test_network
report "self-test: facts: {$facts}"
if [ "$failures" -eq 0 ]; then
    event self_test_ok
else
    event failed_self_test
fi
finish stay
