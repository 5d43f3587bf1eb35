"""HTTP digest authentication (RFC 7616), as far as switches ask for it: SHA-256 and the quality `auth`."""

import hashlib
import re
import secrets

from bmm.errors import Misconfigured

_PARAMETER = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')


def digest_auth(challenge: str, method: str, target: str, user: str, password: str) -> dict[str, str]:
    """Return the header that answers a server's challenge for one call; raise Misconfigured for one that we can't."""
    scheme, _, rest = challenge.partition(" ")
    asked = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(rest)}
    algorithm = asked.get("algorithm", "MD5")
    qualities = {word.strip() for word in asked.get("qop", "").split(",")}
    if scheme.lower() != "digest" or algorithm.upper() != "SHA-256" or "auth" not in qualities:
        raise Misconfigured(f"it asks for a login that we do not know: {challenge!r:.100}")
    realm, nonce, ours = asked.get("realm", ""), asked.get("nonce", ""), secrets.token_hex(8)
    secret = _hash(f"{user}:{realm}:{password}")
    answer = _hash(f"{secret}:{nonce}:00000001:{ours}:auth:{_hash(f'{method}:{target}')}")
    told = (
        f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{target}", algorithm=SHA-256, '
        f'qop=auth, nc=00000001, cnonce="{ours}", response="{answer}"'
    )
    if "opaque" in asked:
        told += f', opaque="{asked["opaque"]}"'
    return {"Authorization": told}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
