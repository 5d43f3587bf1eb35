"""Inside a process with Django: locks a row in a transaction, with the product's own connection, and never goes on."""

from django.db import connection, transaction

from tests.bench.child import Order


def answer(order: Order) -> Order:
    """Carry out {lock: table, pk: number}; all that is locked is locked in one transaction."""
    # Not ended: whoever gave the order stops or kills this process.
    if transaction.get_autocommit():
        transaction.set_autocommit(False)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM {order['lock']} WHERE id = %s FOR UPDATE", [order["pk"]])  # noqa: S608 - ours
        return {"rows": len(cursor.fetchall())}
