# The live image's first program: finds out from the kernel line whom to ask, fetches the second stage and runs it.
# Ends with what comes next in $LIVE_THEN: reboot or stay.

MOZPOOL_ACTION='live boot'
LIVE_THEN=$LIVE_RUN/then
export LIVE_RUN LIVE_THEN
echo stay >"$LIVE_THEN"

# As on every kernel line, the last one counts.
url=
for word in $(cat "${LIVE_CMDLINE:-/proc/cmdline}"); do
    case $word in
        mobile-imaging-url=*) url=${word#mobile-imaging-url=} ;;
    esac
done
case $url in
    http://* | https://*) ;;
    *)
        say "there is no mobile-imaging-url= with an http URL on the kernel line; nothing to do"
        exit 1
        ;;
esac

# Scripts of our own server have their calls beside the second stage; others make theirs as they always did.
MOZPOOL_URL=${url%/second-stage}
if [ "$MOZPOOL_URL" != "$url" ]; then
    event mobile_init_started
else
    MOZPOOL_URL=
fi

script=$LIVE_RUN/second-stage
tries=0
# Also waits for the network: a switch port takes up to half a minute until it lets anything through.
until get "$url" >"$script" && [ -s "$script" ]; do
    tries=$((tries + 1))
    if [ "$tries" -ge "${LIVE_TRIES:-20}" ]; then
        [ -z "$MOZPOOL_URL" ] || report "the second stage can't be fetched"
        say "$url can't be fetched"
        exit 1
    fi
    say "the second stage can't be fetched yet; try $tries"
    sleep "$((tries < 5 ? tries : 5))"
done

say "running the second stage"
status=0
sh "$script" || status=$?
if [ "$status" -ne 0 ]; then
    say "the second stage ended with status $status"
    [ -z "$MOZPOOL_URL" ] || report "the second stage ended with status $status"
fi
exit "$status"
