"""Two who talk sit with one reactor: what they say crosses no thread, and whoever looks for one who has moved finds them."""
import pytest

from interop.attack import PASSWORD, connect
from support.programs import wait_until

TEXTS = 200


@pytest.fixture
def people(kdcd):
    """kdcd with two reactors: as it deals its connections out, each second one is the other's."""
    kdc = kdcd(threads={"reactors": 2})
    kdc.known_fingerprint = kdc.fingerprint
    for name in ("alice", "bob"):
        kdc.add_user(name, PASSWORD)
    return kdc


def of_reactors(kdc, figure):
    return sum(kdc.admin_json("status")[figure].values())


def talk(one, other, texts):
    for number in range(texts):
        for sender, receiver in ((one, other), (other, one)):
            sender.send_text(receiver.name, f"text {number}", wait=False)
            assert receiver.receive() == [(sender.name, f"text {number}")]


def test_two_who_talk_sit_with_one_reactor(people):
    with connect(people, "alice") as alice, connect(people, "bob") as bob:
        bob.open("alice")
        alice.wait_for(lambda: "bob" in alice.conversations)
        assert of_reactors(people, "reactor_moved_total") == 1
        before = of_reactors(people, "reactor_inbox_items_total")
        talk(alice, bob, TEXTS)
        assert of_reactors(people, "reactor_inbox_items_total") - before < TEXTS / 10
        alice.open("bob")  # the next epoch comes by way of where each began
        bob.wait_for(lambda: bob.conversations["alice"].epoch.number == 2)
        talk(alice, bob, 3)
    people.stop()  # by order


def test_who_has_moved_is_found(people):
    with connect(people, "alice") as alice, connect(people, "bob") as bob:
        bob.open("alice")
        alice.wait_for(lambda: "bob" in alice.conversations)
        people.admin("kick", "alice")
        bob.wait_for(lambda: {"message": "presence", "name": "alice", "presence": "offline"} in bob.events)
        with connect(people, "alice") as again:
            bob.open("alice")
            again.wait_for(lambda: "bob" in again.conversations)
            talk(bob, again, 3)
            with connect(people, "alice") as third:  # takes over
                third.open("bob")
                bob.wait_for(lambda: "alice" in bob.conversations)
                talk(third, bob, 3)
    wait_until("all are gone", lambda: people.admin_json("status")["connections"] == 0)
    people.stop()
