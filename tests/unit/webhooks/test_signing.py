import base64

from requests_app.webhooks.signing import headers

# The example of the specification's libraries: what they make of it is what ours must make of it.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = "msg_p5jXN8AQM9LWM0D4loKWxJek"
SECONDS = 1614265330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_signature_is_that_of_standard_webhooks() -> None:
    told = headers(MESSAGE, "request.ready", BODY, SECRET, SECONDS)
    assert told == {
        "content-type": "application/json",
        "user-agent": "Mozpool",
        "mozpool-event": "request.ready",
        "webhook-id": MESSAGE,
        "webhook-timestamp": str(SECONDS),
        "webhook-signature": SIGNATURE,
    }


def test_time_id_body_and_secret_are_all_signed() -> None:
    other = "whsec_" + base64.b64encode(b"x" * 32).decode()
    signatures = {
        headers(message, "x", body, secret, seconds)["webhook-signature"]
        for message, body, secret, seconds in (
            (MESSAGE, BODY, SECRET, SECONDS),
            (MESSAGE + "x", BODY, SECRET, SECONDS),
            (MESSAGE, BODY + b" ", SECRET, SECONDS),
            (MESSAGE, BODY, other, SECONDS),
            (MESSAGE, BODY, SECRET, SECONDS + 1),
        )
    }
    assert len(signatures) == 5


def test_without_a_secret_nothing_is_signed() -> None:
    assert "webhook-signature" not in headers(MESSAGE, "x", BODY, "", SECONDS)
