"""Who looks at the pool in these tests, and the script that somebody has left in it for them."""

PASSWORD = "four words of ours"
# Each is called like the role; root is a superuser.
PEOPLE = ("viewer", "requester", "operator", "admin", "root")
# A browser that runs it, in whatever way, has `window.stolen`.
SCRIPT = "<script>window.stolen = 1</script><img src=x onerror='window.stolen = 2'>"
# The device with that comment; its request has it in each of its texts, too.
SCRIPTED = "panda-0004"
