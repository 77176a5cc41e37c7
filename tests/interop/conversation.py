"""Epochs, chains, texts and receipts of one conversation: docs/protocol.md 5. No socket in here."""
from interop.messages import decode_content, encode_content, encode_name
from interop.suites import DoesNotOpen, P, derive, expand, extract, is_good_issued_key, seal, sha512, u64, unseal


class Chain:
    """One direction of one epoch. `header` is the associated data but for the message's number."""

    def __init__(self, suite, chain, header):
        self.suite = suite
        self.chain = chain
        self.header = header
        self.next = 0

    def ad(self):
        return self.header + u64(self.next)

    def _step(self):
        self.chain = expand(self.chain, P + b" next", 64)
        self.next += 1

    def seal(self, content):
        key, iv = derive(self.suite, self.chain, P + b" message")
        sealed = seal(self.suite, key, iv, self.next, self.ad(), content)
        self._step()
        return sealed

    def open(self, sequence, sealed):
        if sequence != self.next:
            raise DoesNotOpen(f"message {sequence} where {self.next} is next")
        key, iv = derive(self.suite, self.chain, P + b" message")
        content = unseal(self.suite, key, iv, self.next, self.ad(), sealed)
        self._step()
        return content


class Epoch:
    def __init__(self, grant, me):
        self.number = grant["epoch"]
        self.peer = grant["b"] if grant["a"] == me else grant["a"]
        self.context = (u64(grant["conversation"]) + grant["epoch"].to_bytes(4, "big") + encode_name(grant["a"])
                        + encode_name(grant["b"]) + u64(grant["session_a"]) + u64(grant["session_b"])
                        + grant["suite"].to_bytes(2, "big") + u64(grant["time"]))
        self.prk = extract(b"", grant["key"])
        header = u64(grant["conversation"]) + grant["epoch"].to_bytes(4, "big")
        self.sending = Chain(grant["suite"], self._first(me, self.peer), header)
        self.receiving = Chain(grant["suite"], self._first(self.peer, me), header)

    def _first(self, sender, receiver):
        return expand(self.prk, P + b" chain" + sha512(self.context) + encode_name(sender) + encode_name(receiver), 64)


class Conversation:
    """What this client shares with one person.

    What is to be sent waits in a queue until the window has room for it; `next()` then gives it as fields of a ciphertext
    message."""

    def __init__(self, me, peer, instance):
        self.me = me
        self.peer = peer
        self.instance = instance
        self.number = None
        self.epoch = None
        self.before = None
        self.sent = 0
        self.unreceived = {}
        self.last_of = {}
        self.reopened_for = 0
        self.sessions = {}
        self.queue = []

    def take(self, grant):
        """Takes an epoch, if the grant is one to take."""
        if {grant["a"], grant["b"]} != {self.me, self.peer} or grant["a"] == grant["b"]:
            return False
        if not is_good_issued_key(grant["suite"], grant["key"]):
            return False
        if self.epoch is not None and grant["epoch"] <= self.epoch.number:
            return False
        self.sessions = {grant["a"]: grant["session_a"], grant["b"]: grant["session_b"]}
        self.number = grant["conversation"]
        self.before = self.epoch
        self.epoch = Epoch(grant, self.me)
        # Texts that still waited are among those that aren't received; receipts go after all.
        receipts = [content for content in self.queue if decode_content(content)["content"] == "received"]
        self.queue = [encode_content("confirm"), *map(self._encoded_text, sorted(self.unreceived)), *receipts]
        return True

    def next(self):
        return self.seal(self.queue.pop(0))

    def seal(self, content):
        """As the next message of the newest epoch."""
        sequence = self.epoch.sending.next
        return {"conversation": self.number, "epoch": self.epoch.number, "sequence": sequence,
                "sealed": self.epoch.sending.seal(content)}

    def _encoded_text(self, number):
        return encode_content("text", instance=self.instance, number=number, text=self.unreceived[number])

    def text(self, text):
        """Numbers a text and keeps it until it is received."""
        self.sent += 1
        self.unreceived[self.sent] = text
        self.queue.append(self._encoded_text(self.sent))

    def receipt(self, instance):
        self.queue.append(encode_content("received", instance=instance, number=self.last_of[instance]))

    def open(self, ciphertext):
        """The content, decoded. Raises DoesNotOpen or Malformed; nothing has changed then."""
        for epoch in (self.epoch, self.before):
            if epoch is not None and epoch.number == ciphertext["epoch"]:
                break
        else:
            raise DoesNotOpen(f"epoch {ciphertext['epoch']} isn't held")
        content = decode_content(epoch.receiving.open(ciphertext["sequence"], ciphertext["sealed"]))
        if epoch is self.epoch:
            self.before = None
        if content["content"] == "received" and content["instance"] == self.instance:
            for number in [number for number in self.unreceived if number <= content["number"]]:
                del self.unreceived[number]
        return content

    def is_new(self, content):
        """Whether a text wasn't seen before; it is counted as seen."""
        if content["number"] <= self.last_of.get(content["instance"], 0):
            return False
        self.last_of[content["instance"]] = content["number"]
        return True

    def wants_new_epoch(self, ciphertext):
        """After a message that didn't open: at most once for each epoch.

        Not for one of an older epoch: its sender sends it again in the newest. Two who open at the same moment would
        else, by what was on its way, make each other open again and again."""
        if self.epoch is None or ciphertext["epoch"] < self.epoch.number or self.reopened_for >= self.epoch.number:
            return False
        self.reopened_for = self.epoch.number
        return True
