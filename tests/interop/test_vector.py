"""Every line of docs/test-vector.txt, made again from the formulas of docs/protocol.md."""
import hashlib

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interop import messages, protocol, suites
from interop.conversation import Chain, Epoch
from interop.suites import GROUPS, P, mac, sha512
from support.programs import ROOT

# Whose session it is, and the groups that this client would take, in its order.
PEOPLE = {"alice": [0x0100], "bob": [0x0101, 0x0100]}
AGAIN = "alice_again"
LAST = ["ping", "close"]  # what the record of that name carries; every other carries one message, of its own name
RECORDS = {
    ("alice", "client"): ["login", "open", "sends_confirm", "sends_text", "last"],
    ("alice", "server"): ["welcome", "grant", "gets_confirm", "gets_received"],
    ("bob", "client"): ["login", "sends_confirm", "sends_received"],
    ("bob", "server"): ["welcome", "grant", "gets_confirm", "gets_text"],
    (AGAIN, "client"): [],
    (AGAIN, "server"): ["welcome"],
}
INNER = {"alice": ["confirm", "text"], "bob": ["confirm", "received"]}


class Stream:
    def __init__(self, name):
        self.name = name.encode()
        self.counter = 0
        self.data = b""

    def take(self, count):
        while len(self.data) < count:
            self.data += hashlib.sha512(b"kdc-chat test vector" + self.name + suites.u64(self.counter)).digest()
            self.counter += 1
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def private(self, group):
        raw = bytearray(self.take((group.exponent_bits + 7) // 8))
        raw[0] &= 0xff >> (-group.exponent_bits % 8)
        return bytes(raw)


class Vector:
    """The file's lines; each that was compared with a value made here is marked."""

    def __init__(self, path):
        self.values = {}
        self.checked = set()
        for line in path.read_text().splitlines():
            if line and not line.startswith("#"):
                name, value = line.split(" = ")
                assert name not in self.values, name
                self.values[name] = bytes.fromhex(value)

    def __getitem__(self, name):
        return self.values[name]

    def check(self, name, value):
        assert value == self.values[name], f"{name}\nmade here  {value.hex()}\nin the file {self.values[name].hex()}"
        self.checked.add(name)


def server_hello_fields(whole):
    reader = messages.Reader(whole[4:])
    assert reader.number(1) == protocol.SERVER_HELLO
    names = ("version", "random", "suite", "resumed", "public", "identity", "signature", "confirm")
    return dict(zip(names, (reader.number(2), reader.take(32), reader.number(2), reader.number(1),
                            reader.vector(2, 1, 1024), reader.take(32), reader.take(64), reader.take(64)), strict=True))


def stream_name(person):
    return person.replace("_", " ")


def offered_suites(hello):
    reader = messages.Reader(hello[4:])
    reader.take(1 + 2 + 32 + 2)
    reader.vector(2, 1, 1024)
    return [reader.number(2) for _ in range(reader.number(1))]


def make_server_hello(vector, person, handshake_before):
    """The KDC's part, from its random stream: section 9."""
    stream = Stream(f"kdc for {stream_name(person)}")
    group = GROUPS[0x0100]
    random = stream.take(32)
    private = stream.private(group)
    vector.check(f"{person}_kdc_private", private)
    suite = server_hello_fields(vector[f"{person}_server_hello"])["suite"]
    public = group.public(int.from_bytes(private, "big"))
    unsigned = (bytes([protocol.SERVER_HELLO]) + protocol.u16(1) + random + protocol.u16(suite)
                + bytes([person == AGAIN]) + protocol.u16(len(public)) + public + vector["kdc_identity"])
    length = (len(unsigned) + 128).to_bytes(4, "big")
    th = sha512(handshake_before + length + unsigned)
    return length + unsigned + vector[f"{person}_signature"] + vector[f"{person}_server_confirm"], th


def check_handshake(vector, person, ticket=None):
    stream = Stream(stream_name(person))
    privates = []

    def draw_private(group):
        privates.append(stream.private(group))
        return int.from_bytes(privates[-1], "big")
    shake = protocol.ClientHandshake(PEOPLE.get(person, [0x0100]), offered_suites(vector[f"{person}_client_hello"]),
                                     lambda: stream.take(32), draw_private, ticket)
    hello = shake.hello()
    if f"{person}_hello_retry" in vector.values:
        vector.check(f"{person}_refused_client_hello", hello)
        vector.check(f"{person}_refused_client_private", privates[0])
        vector.check(f"{person}_hello_retry", protocol.frame(bytes([2, 1]) + protocol.u16(0x0100)))
        hello = shake.take(vector[f"{person}_hello_retry"])
    vector.check(f"{person}_client_hello", hello)
    vector.check(f"{person}_client_private", privates[-1])
    if ticket is not None:
        vector.check(f"{person}_binder_key", protocol.binder_key(ticket.secret))
        vector.check(f"{person}_binder_over", sha512(P + hello[:-64]))
        vector.check(f"{person}_binder", hello[-64:])

    server_hello, th = make_server_hello(vector, person, shake.transcript)
    vector.check(f"{person}_server_hello", server_hello)
    over = P + b" server signature\0" + th
    vector.check(f"{person}_signature_over", over)
    key = Ed25519PrivateKey.from_private_bytes(vector["kdc_identity_seed"])
    vector.check(f"{person}_signature", key.sign(over))

    vector.check(f"{person}_client_finish", shake.take(server_hello))
    for name in ("th", "th_s", "th_c", "z"):
        vector.check(f"{person}_{name}", getattr(shake, name))
    vector.check(f"{person}_z_sha512", sha512(shake.z))
    for name in ("prk", "client_traffic", "server_traffic", "exporter", "resumption"):
        vector.check(f"{person}_{name}", getattr(shake.keys, name))
    for side, over in (("server", shake.th_s), ("client", shake.th_c)):
        confirm_key = getattr(shake.keys, f"{side}_confirm")
        vector.check(f"{person}_{side}_confirm_key", confirm_key)
        vector.check(f"{person}_{side}_confirm", mac(confirm_key, over))
    return shake


def check_records(vector, person, shake):
    for side in ("client", "server"):
        sealing = protocol.RecordDirection(shake.suite, getattr(shake.keys, f"{side}_traffic"))
        opening = protocol.RecordDirection(shake.suite, getattr(shake.keys, f"{side}_traffic"))
        vector.check(f"{person}_{side}_record_key", sealing.key)
        vector.check(f"{person}_{side}_record_iv", sealing.iv)
        for name in RECORDS[person, side]:
            carried = LAST if name == "last" else [name]
            vector.check(f"{person}_{name}_record",
                         sealing.seal(*(vector[f"{person}_{one}_message"] for one in carried)))
            opened = opening.open(vector[f"{person}_{name}_record"])
            for one, message in zip(carried, opened, strict=True):
                vector.check(f"{person}_{one}_message", message)
                decoded = messages.decode_message(message)
                # What is decoded and encoded again is the same bytes.
                if one == "welcome":
                    vector.check(f"{person}_ticket", Stream(f"ticket for {stream_name(person)}").take(100))
                    assert decoded["ticket"] == vector[f"{person}_ticket"]
                assert messages.encode_message(decoded.pop("message"), **decoded) == message


def check_conversation(vector):
    vector.check("issued_key", suites.with_odd_parity(Stream("issued key").take(24)))
    grants = {person: messages.decode_message(vector[f"{person}_grant_message"]) for person in PEOPLE}
    assert grants["alice"].pop("request") and not grants["bob"].pop("request")
    assert grants["alice"] == grants["bob"]
    grant = {"request": 0, **grants["alice"]}
    assert grant["key"] == vector["issued_key"]
    assert suites.is_good_issued_key(grant["suite"], grant["key"])
    epoch = Epoch(grant, "alice")
    vector.check("context", epoch.context)
    vector.check("context_sha512", sha512(epoch.context))
    vector.check("epoch_prk", epoch.prk)
    vector.check("chain_alice_to_bob", epoch.sending.chain)
    vector.check("chain_bob_to_alice", epoch.receiving.chain)
    assert Epoch(grant, "bob").sending.chain == epoch.receiving.chain
    for person, chain in (("alice", epoch.sending), ("bob", epoch.receiving)):
        check_inner(vector, person, chain)


def check_inner(vector, person, chain):
    other = {"alice": "bob", "bob": "alice"}[person]
    opening = Chain(chain.suite, chain.chain, chain.header)
    for n, name in enumerate(INNER[person]):
        content = vector[f"{person}_{name}_content"]
        vector.check(f"{person}_{name}_chain", chain.chain)
        key, iv = suites.derive(chain.suite, chain.chain, P + b" message")
        vector.check(f"{person}_{name}_key", key)
        vector.check(f"{person}_{name}_iv", iv)
        vector.check(f"{person}_{name}_cbc_iv", suites.cbc_iv_of(key, iv, n))
        vector.check(f"{person}_{name}_ad", chain.ad())
        sealed = chain.seal(content)
        vector.check(f"{person}_{name}_sealed", sealed)
        vector.check(f"{person}_{name}_content", opening.open(n, sealed))
        for message in (f"{person}_sends_{name}_message", f"{other}_gets_{name}_message"):
            vector.check(message, messages.encode_message("ciphertext", conversation=7, epoch=1, sequence=n,
                                                          sealed=sealed))
        decoded = messages.decode_content(content)
        assert messages.encode_content(decoded.pop("content"), **decoded) == content


def test_every_line_of_the_vector_follows_from_the_document():
    vector = Vector(ROOT / "docs" / "test-vector.txt")
    seed = Stream("kdc identity").take(32)
    vector.check("kdc_identity_seed", seed)
    vector.check("kdc_identity", Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw))
    shakes = {}
    for person in PEOPLE:
        shakes[person] = check_handshake(vector, person)
        check_records(vector, person, shakes[person])
    check_conversation(vector)
    ticket = protocol.Ticket(vector["alice_ticket"], shakes["alice"].keys.resumption)
    again = check_handshake(vector, AGAIN, ticket)
    assert again.resumed
    check_records(vector, AGAIN, again)
    assert set(vector.values) == vector.checked


@pytest.mark.parametrize("group", GROUPS.values(), ids=lambda group: group.name)
def test_the_primes_that_the_formula_gives_are_safe_as_far_as_fermat_sees(group):
    assert group.p.bit_length() == 8 * group.length
    # Two exponentiations of the largest group take a second: one base each is enough against a slip of the pen.
    assert pow(3, group.p - 1, group.p) == 1
    assert pow(3, (group.p - 1) // 2 - 1, (group.p - 1) // 2) == 1


def test_triple_des_keys_that_are_weak_or_equal_are_not_taken():
    good = suites.with_odd_parity(bytes(range(24)))
    assert suites.is_good_triple_des_key(good)
    assert len(suites.WEAK_DES_KEYS) == 16
    assert all(suites.with_odd_parity(key) == key for key in suites.WEAK_DES_KEYS)
    for weak in suites.WEAK_DES_KEYS:
        assert not suites.is_good_triple_des_key(good[:8] + weak + good[16:])
    assert not suites.is_good_triple_des_key(good[:8] + good[:8] + good[16:])
    assert not suites.is_good_triple_des_key(bytes([good[0] ^ 1]) + good[1:])
