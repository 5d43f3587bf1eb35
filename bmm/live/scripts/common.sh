# What every part of the live image shares: telling the server, reading its settings, ending.
# POSIX sh on busybox. MOZPOOL_URL is where this boot's own calls are, and dies with the boot.

LIVE_RUN=${LIVE_RUN:-/run/mozpool}
mkdir -p "$LIVE_RUN"

# say TEXT...: tells the console.
say() {
    printf 'mozpool: %s\n' "$*" >&2
}

# get URL: writes what is there to stdout. Debian's static busybox crashes with wget's own -T.
get() {
    timeout "${LIVE_TIMEOUT:-60}" wget -q -O - "$1"
}

# post PATH JSON TRIES: calls the server.
post() {
    _tries=0
    until timeout 20 wget -q -O /dev/null --header 'Content-Type: application/json' \
        --post-data "$2" "$MOZPOOL_URL/$1"; do
        _tries=$((_tries + 1))
        [ "$_tries" -lt "$3" ] || return 1
        sleep "$_tries"
    done
}

# event NAME: tells the server how far the boot is.
event() {
    say "$1"
    post "event/$1" '{}' 8 || say "the server did not take the event $1"
}

# report TEXT...: writes a line into the device's journal. Text only: what else a program said is left out.
report() {
    say "$*"
    _line=$(printf '%s' "$*" | tr '\n\t' '  ' | tr -cd '\40-\176' | cut -c1-480 | sed 's/["\\]/\\&/g')
    post log "{\"message\": \"$_line\"}" 2 || say "the server did not take that line"
}

# give_up TEXT...: reports why and ends with a failure; the server cycles the power when it has waited long enough.
give_up() {
    report "${MOZPOOL_ACTION:-boot} failed: $*"
    exit 1
}

# finish reboot|stay: what the live image is to do once its script has ended. An older one only knows how to be rebooted.
finish() {
    if [ -n "${LIVE_THEN:-}" ]; then
        printf '%s\n' "$1" >"$LIVE_THEN"
    elif [ "$1" = reboot ]; then
        sync
        reboot -f
    fi
    exit 0
}

# flatten: reads JSON from stdin, writes a line "a.b.1<TAB>value" for each value; fails for what is no JSON.
flatten() {
    awk '
    function fail() { exit 1 }
    function next_char() {
        while (index(" \t\n\r", substr(text, at, 1)) && at <= length(text)) at++
        return substr(text, at, 1)
    }
    function word(    out, c) {
        out = ""
        for (at++; (c = substr(text, at, 1)) != "\""; at++) {
            if (c == "" || c == "\n") fail()
            if (c == "\\") {
                c = substr(text, ++at, 1)
                if (c == "u") { c = "?"; at += 4 }
                else if (index("bfnrt", c)) c = " "
            }
            out = out c
        }
        at++
        return out
    }
    function inside(path, closing, is_object,    key, count, c) {
        at++
        if (next_char() == closing) { at++; return }
        for (;;) {
            key = ++count
            if (is_object) {
                if (next_char() != "\"") fail()
                key = word()
                if (next_char() != ":") fail()
                at++
            }
            value(path == "" ? key : path "." key)
            c = next_char()
            at++
            if (c == closing) return
            if (c != ",") fail()
        }
    }
    function value(path,    c) {
        c = next_char()
        if (c == "{") inside(path, "}", 1)
        else if (c == "[") inside(path, "]", 0)
        else if (c == "\"") print path "\t" word()
        else if (match(substr(text, at), /^[-+.0-9A-Za-z]+/)) {
            print path "\t" substr(text, at, RLENGTH)
            at += RLENGTH
        } else fail()
    }
    { text = text $0 "\n" }
    END { at = 1; value(""); next_char(); if (at <= length(text)) fail() }'
}

# read_settings: what the operator has set in this script, then what was asked for with the image under other names:
# of a list that is set here, nobody else adds an entry.
read_settings() {
    printf '%s' "${MOZPOOL_SETTINGS:-{\}}" | flatten >"$LIVE_RUN/settings" || give_up "MOZPOOL_SETTINGS is no JSON"
    _tries=0
    until get "$MOZPOOL_URL/config" >"$LIVE_RUN/config"; do
        _tries=$((_tries + 1))
        [ "$_tries" -lt 5 ] || give_up "the boot config can't be fetched"
        sleep "$_tries"
    done
    flatten <"$LIVE_RUN/config" >"$LIVE_RUN/asked" || give_up "the boot config is no JSON"
    awk -F '[.\t]' 'FILENAME == ARGV[1] { set[$1] = 1; next } !($1 in set)' \
        "$LIVE_RUN/settings" "$LIVE_RUN/asked" >"$LIVE_RUN/added"
    cat "$LIVE_RUN/added" >>"$LIVE_RUN/settings"
}

# setting NAME [DEFAULT]: writes a setting to stdout; fails when it is neither set nor has a default.
setting() {
    awk -F '\t' -v key="$1" '$1 == key { print substr($0, length(key) + 2); found = 1; exit } END { exit !found }' \
        "$LIVE_RUN/settings" || {
        [ $# -gt 1 ] || return 1
        printf '%s\n' "$2"
    }
}

# number NAME DEFAULT: a setting that must be a whole number.
number() {
    _number=$(setting "$1" "$2")
    case $_number in
        '' | *[!0-9]* | ??????????*) give_up "setting $1: a whole number expected, got $_number" ;;
    esac
    printf '%s\n' "$_number"
}

# megabytes DEVICE: the size of a disk, or of the file that stands for one.
megabytes() {
    if [ -b "$1" ]; then
        echo $(($(blockdev --getsize64 "$1") / 1048576))
    else
        echo $(($(stat -c %s "$1") / 1048576))
    fi
}
