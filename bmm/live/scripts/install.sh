# Second stage: writes an image to the disk while it comes in, checks what came in, and reboots into it.
#
# Settings (JSON, from the operator's MOZPOOL_SETTINGS, then from the request):
#   disk        the device to write to
#   image_url   what to write onto it: raw, or packed (.gz, .xz, .bz2)
#   image_sha256  checksum of the file at image_url; without it, that of image_url.sha256 is fetched
# or, instead of an image for the whole disk, up to four partitions, in their order on the disk:
#   partitions  [{"start_mb": 1, "size_mb": 64, "type": "c", "boot": true, "url": ..., "sha256": ...}, ...]

tries_for_each=3

checksum_of() { # URL SHA256: writes the checksum to expect
    if [ -n "$2" ]; then
        printf '%s\n' "$2"
    else
        get "$1.sha256" | awk 'NR == 1 { print $1 }'
    fi | tr 'A-F' 'a-f' | grep -x '[0-9a-f]\{64\}'
}

unpack() { # URL
    case $1 in
        *.gz) gunzip -c ;;
        *.xz) xzcat ;;
        *.bz2) bzcat ;;
        *) cat ;;
    esac
}

unpack_all() { # URL: unpacks, and reads on to the end even where that fails, so that the checksum tells whose fault it is
    _status=0
    unpack "$1" || _status=$?
    if [ "$_status" -ne 0 ]; then
        : >"$LIVE_RUN/unpack-failed"
        # Above 128: dd has ended, and a signal told so; nobody wants the rest.
        [ "$_status" -gt 128 ] || cat >/dev/null
    fi
}

dd_said() { # STATUS: why dd has failed
    _said=$(sed -n '/^dd: /{p;q}' "$LIVE_RUN/dd")
    printf '%s\n' "${_said:-dd ended with status $1}"
}

watch_progress() { # PID: reports how far dd is, until it ends
    last=0
    while sleep "${LIVE_PROGRESS:-15}" && kill -0 "$1" 2>/dev/null; do
        at=$(awk '$1 == "pos:" { print int($2 / 1048576) }' "/proc/$1/fdinfo/1" 2>/dev/null) || return 0
        [ "${at:-0}" -le "$last" ] || report "written up to ${at} MB"
        last=${at:-0}
    done
}

# stream URL SHA256 START_MB SIZE_MB: one try. 0: written and right; 1: worth another try; gives up where none helps.
stream() {
    rm -f "$LIVE_RUN/hash" "$LIVE_RUN/data" "$LIVE_RUN/fetch-failed" "$LIVE_RUN/unpack-failed"
    mkfifo "$LIVE_RUN/hash" "$LIVE_RUN/data"
    sha256sum <"$LIVE_RUN/hash" >"$LIVE_RUN/sum" &
    summing=$!
    unpack_all "$1" <"$LIVE_RUN/data" |
        dd of="$disk" bs=1M seek="$3" conv=notrunc,fsync 2>"$LIVE_RUN/dd" &
    writing=$!
    watch_progress "$writing" &
    watching=$!
    { LIVE_TIMEOUT=$seconds get "$1" || : >"$LIVE_RUN/fetch-failed"; } |
        tee "$LIVE_RUN/hash" >"$LIVE_RUN/data" 2>/dev/null
    written=0
    wait "$writing" || written=$?
    wait "$summing"
    kill "$watching" 2>/dev/null
    if [ "$written" -ne 0 ]; then
        give_up "the disk $disk can't be written: $(dd_said "$written")"
    fi
    read -r sum _ <"$LIVE_RUN/sum"
    bytes=$(awk '/ bytes / { print $1 }' "$LIVE_RUN/dd")
    if [ -e "$LIVE_RUN/fetch-failed" ]; then
        report "the download of $1 broke off"
        return 1
    elif [ "$sum" != "$2" ]; then
        report "the checksum of $1 is $sum and not $2"
        return 1
    elif [ -e "$LIVE_RUN/unpack-failed" ]; then
        give_up "$1 arrived as it should, but can't be unpacked"
    elif [ "${bytes:-0}" -gt "$(($4 * 1048576))" ]; then
        give_up "$1 is larger than the $4 MB that there are for it"
    fi
}

# write URL SHA256 START_MB SIZE_MB: streams with more tries, and leaves nothing that boots when all were in vain.
write() {
    tries=0
    until stream "$@"; do
        tries=$((tries + 1))
        if [ "$tries" -ge "$tries_for_each" ]; then
            dd if=/dev/zero of="$disk" bs=1M count=1 seek="$3" conv=notrunc,fsync 2>/dev/null
            give_up "$1 did not arrive as it should, $tries times"
        fi
        sleep "$tries"
    done
    report "wrote $1"
}

bytes_of() { # NUMBER...: the numbers as bytes
    for _byte in "$@"; do
        printf '%b' "\\0$(printf '%o' "$_byte")"
    done
}

sectors_of() { # MEGABYTES: the same in sectors, as four bytes, the lowest first
    _sectors=$(($1 * 2048))
    bytes_of "$((_sectors & 255))" "$((_sectors >> 8 & 255))" "$((_sectors >> 16 & 255))" "$((_sectors >> 24 & 255))"
}

partition_table() { # COUNT: writes the four entries and the signature of a master boot record to stdout
    _entry=1
    while [ "$_entry" -le 4 ]; do
        if [ "$_entry" -le "$1" ]; then
            _boot=0
            [ "$(setting "partitions.$_entry.boot" false)" != true ] || _boot=128
            # FE FF FF: too far for heads and cylinders; the numbers of sectors count.
            bytes_of "$_boot" 254 255 255 "$((0x$(setting "partitions.$_entry.type" 83)))" 254 255 255
            sectors_of "$(number "partitions.$_entry.start_mb" '')"
            sectors_of "$(number "partitions.$_entry.size_mb" '')"
        else
            bytes_of 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
        fi
        _entry=$((_entry + 1))
    done
    bytes_of 85 170
}

check_partitions() { # sets $count, and makes sure that partitions lie one behind the other, on the disk
    count=0
    free=1
    while setting "partitions.$((count + 1)).start_mb" >/dev/null; do
        count=$((count + 1))
        [ "$count" -le 4 ] || give_up "partitions: four at most"
        start=$(number "partitions.$count.start_mb" '') || exit 1
        size=$(number "partitions.$count.size_mb" '') || exit 1
        case $(setting "partitions.$count.type" 83) in
            [0-9a-fA-F] | [0-9a-fA-F][0-9a-fA-F]) ;;
            *) give_up "partition $count: type: two hex digits expected" ;;
        esac
        [ "$start" -ge "$free" ] || give_up "partition $count begins before $free MB, where the one before it ends"
        free=$((start + size))
        [ "$free" -le "$room" ] || give_up "partition $count ends at $free MB, the disk at $room MB"
    done
}

plan() { # writes a line for each thing to write: URL SHA256 START_MB SIZE_MB
    if [ "$count" -eq 0 ]; then
        url=$(setting image_url) || give_up "setting image_url: what is to be written?"
        sum=$(checksum_of "$url" "$(setting image_sha256 '')") ||
            give_up "setting image_sha256: there is no checksum, neither given nor at $url.sha256"
        echo "$url $sum 0 $room"
    fi
    n=1
    while [ "$n" -le "$count" ]; do
        # A partition without an image stays as it is.
        if url=$(setting "partitions.$n.url"); then
            sum=$(checksum_of "$url" "$(setting "partitions.$n.sha256" '')") ||
                give_up "partition $n: there is no checksum, neither given nor at $url.sha256"
            echo "$url $sum $(setting "partitions.$n.start_mb") $(setting "partitions.$n.size_mb")"
        fi
        n=$((n + 1))
    done
}

event "${MOZPOOL_IMAGE}_downloading"
read_settings
disk=$(setting disk) || give_up "setting disk: where is the image to be written?"
{ [ -b "$disk" ] || [ -f "$disk" ]; } || give_up "there is no disk $disk"
room=$(megabytes "$disk")
seconds=$(number download_seconds 1800) || exit 1
check_partitions
plan >"$LIVE_RUN/plan" || exit 1
while read -r url _; do
    timeout 60 wget -q --spider "$url" || give_up "$url can't be fetched"
done <"$LIVE_RUN/plan"

# From here on the old image is gone.
event "${MOZPOOL_IMAGE}_extracting"
if [ "$count" -gt 0 ]; then
    partition_table "$count" | dd of="$disk" bs=1 seek=446 conv=notrunc,fsync 2>"$LIVE_RUN/dd" ||
        give_up "the disk $disk can't be written: $(dd_said $?)"
fi
# On descriptor 3: nothing that is called here may read the plan away.
while read -r url sum start size <&3; do
    write "$url" "$sum" "$start" "$size"
done 3<"$LIVE_RUN/plan"
sync
event "${MOZPOOL_IMAGE}_rebooting"
finish reboot
