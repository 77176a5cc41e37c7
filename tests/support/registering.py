"""What the tests of registration share: people who make accounts by the Python client."""
import threading
from functools import partial

from interop.attack import PASSWORD
from interop.client import Client, Refused, refusal_of

WRONG = "000000"


def connect(kdc, name=None, **choices):
    client = Client(kdc.server, **choices)
    if name:
        client.login(name, PASSWORD)
    return client


def invite(kdc, *options):
    return kdc.admin_json("invite", "new", *options)


def race(kdc, tries):
    """Several at once, each register's arguments; what came of them."""
    clients = [connect(kdc) for _ in tries]
    ready = threading.Barrier(len(tries))
    outcomes = [None] * len(tries)

    def run(number):
        ready.wait()
        try:
            clients[number].register(*tries[number][:2], **tries[number][2])
            outcomes[number] = "welcome"
        except Refused as refused:
            outcomes[number] = refused.reason
    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(tries))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for client in clients:
        client.__exit__(None, None, None)
    return sorted(outcomes)


def register(kdc, name="bob", address="bob@example.org"):
    """Somebody whose account is pending."""
    client = connect(kdc)
    assert refusal_of(partial(client.register, name, PASSWORD, email=address)) == "account_pending"
    return client
