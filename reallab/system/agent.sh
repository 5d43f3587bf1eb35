#!/bin/sh
# The installed system's agent: what Mozpool asks of SUTAgent, on one connection; see bmm/drivers/agent.py.

warn() {
    echo "##AGENT-WARNING## $*"
}

while printf '$>\0' && read -r verb path size; do
    case $verb in
        testroot) echo /data/tests ;;
        isdir) if [ -d "$path" ]; then echo TRUE; else echo FALSE; fi ;;
        mkdr) if mkdir -p "$path" 2>/dev/null; then echo "$path successfully created"; else warn "no $path can be made"; fi ;;
        push)
            if head -c "$size" >"$path" && sync; then
                md5sum "$path" | cut -c1-32
            else
                warn "$path can't be written"
            fi
            ;;
        cat) cat "$path" 2>/dev/null || warn "$path can't be read" ;;
        rm) if rm "$path" 2>/dev/null; then echo "$path deleted"; else warn "$path can't be deleted"; fi ;;
        rmdr) if rmdir "$path" 2>/dev/null; then echo "$path deleted"; else warn "$path can't be deleted"; fi ;;
        quit) exit ;;
        *) warn "unknown: $verb" ;;
    esac
done
