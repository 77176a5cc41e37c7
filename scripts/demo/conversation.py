"""What the two people do, in one living conversation; every step waits until the other one has seen it."""
from person import NotSeen

FIRST = "Hello Bob! This line travels twice encrypted, and nobody on the way can read it: try it."
REPLY = "Grüße aus Köln, Alice. 你好, and a key 🔑 that only we two hold."
AFTER_REKEY = "Here is Bob again, under a new key."
LAST = "And Alice too: the old key is gone."

FIRST_EPOCH, SECOND_EPOCH = 1, 2


def texts(alice, bob):
    """(from, to, text, epoch) of all that is said."""
    return [(alice, bob, FIRST, FIRST_EPOCH), (bob, alice, REPLY, FIRST_EPOCH),
            (bob, alice, AFTER_REKEY, SECOND_EPOCH), (alice, bob, LAST, SECOND_EPOCH)]


def shown(sender, text):
    """As a line of the chat shows it, behind the time."""
    return f" {sender.name}: {text}"


def talk(alice, bob, while_both_are_in):
    """Raises NotSeen at the first step that doesn't happen. while_both_are_in() is called in the middle."""
    alice.start()
    alice.sees(f"Logged in as {alice.name}")
    alice.types(f"/to {bob.name}")
    alice.sees(f"{bob.name} is offline")

    bob.start()
    bob.sees(f"Logged in as {bob.name}")
    alice.sees(f"{bob.name} is online")
    alice.types(FIRST)
    bob.sees(shown(alice, FIRST))
    bob.types(f"{alice.name}: {REPLY}")
    alice.sees(shown(bob, REPLY))
    while_both_are_in()

    alice.types("/rekey")
    for person in (alice, bob):
        person.takes_epoch(SECOND_EPOCH)
    bob.types(f"/to {alice.name}")
    bob.types(AFTER_REKEY)
    alice.sees(shown(bob, AFTER_REKEY))
    alice.types(LAST)
    bob.sees(shown(alice, LAST))
    alice.types("/fingerprint")
    alice.sees("has the fingerprint")

    bob.types("/quit")
    bob.wait_end()
    alice.sees(f"{bob.name} left")
    alice.types("/quit")
    alice.wait_end()


__all__ = ["FIRST", "FIRST_EPOCH", "SECOND_EPOCH", "NotSeen", "shown", "talk", "texts"]
