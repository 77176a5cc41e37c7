"""The sections of the report: each shows what there is to see and checks it. Missing things are failed checks, not errors."""
import base64
import hashlib
import re

import wiretap
from conversation import FIRST, FIRST_EPOCH, SECOND_EPOCH, shown, texts
from report import start

CIPHERTEXT = (r"^(?P<way>->|<-) ciphertext conversation (?P<conversation>\d+), epoch (?P<epoch>\d+), "
              r"sequence (?P<sequence>\d+), sealed (?P<sealed>\d+) bytes: (?P<inner>[0-9a-f]+)…?; "
              r"record of (?P<size>\d+) bytes: (?P<outer>[0-9a-f]+)")
EPOCH_TAKEN = (r"^epoch taken: conversation (?P<conversation>\d+), epoch (?P<epoch>\d+), .* "
               r"suite (?P<suite>\S+), key (?P<key>SHA256:\S+)")
TEXT_HEAD = 1 + 8 + 8  # kind, instance, number: protocol.md 5.3


def fingerprint(identity):
    """Of an Ed25519 public key, by protocol.md 3.4."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(identity).digest()).decode().rstrip("=")


def sealed_len(suite, text):
    """The length of a text once it is sealed, by protocol.md 4.1 and 5.3."""
    content = TEXT_HEAD + len(text.encode())
    if suite.startswith("3des"):
        return content // 8 * 8 + 8 + 32
    return content + 16


def screens(report, alice, bob):
    for person in (alice, bob):
        report.heading(f"What {person.name} saw (> is what was typed)")
        for typed, line in person.screen:
            if typed:
                report.typed(line)
            else:
                report.line("   " + line)
        report.line()
        for sender, receiver, text, _ in texts(alice, bob):
            if receiver is person:
                count = sum(line.endswith(shown(sender, text)) for line in person.seen())
                report.check(count == 1, f"{person.name} saw once what {sender.name} wrote: “{text}”")
        errors = "\n".join(person.trace[-5:]) if person.status != 0 else ""
        report.check(person.status == 0, f"{person.name} left in good order (exit status {person.status}) {errors}".rstrip())


# ---- the handshake ----

def _one(person, pattern, group=1):
    """What the first line of --debug that fits says there; "?" when there is none."""
    found = person.traced(pattern)
    return found[0][group] if found else "?"


def handshake(report, alice, bob, kdc_fingerprint):
    report.heading("The handshake: each one and the KDC agree on a session key")
    report.note("The hellos travel in the clear, so these are the wire's own bytes. From the client_finish on, everything is "
                "a record under that session key.")
    report.line()
    people = (alice, bob)
    clients = [wiretap.client_hello(person.tap.frames(False)) for person in people]
    servers = [wiretap.server_hello(person.tap.frames(True)) for person in people]
    report.row("", alice.name, bob.name)
    report.row("client_hello", *(f"{one.get('size', '?')} bytes" for one in clients))
    report.row("  group", *(one.get("group") for one in clients))
    report.row("  random", *(start(one.get("random", b"")) for one in clients))
    report.row("  public value", *(start(one.get("public", b"")) for one in clients))
    report.row("server_hello", *(f"{one.get('size', '?')} bytes" for one in servers))
    report.row("  suite", *(one.get("suite") for one in servers))
    report.row("  resumed", *("no: a login by password follows" if one.get("resumed") == 0 else "?" for one in servers))
    report.row("  random", *(start(one.get("random", b"")) for one in servers))
    report.row("  public value", *(start(one.get("public", b"")) for one in servers))
    by_kdc = [_one(person, r"^confirmed by the KDC: .* KDC (SHA256:\S+)") for person in people]
    report.row("  confirmed by the KDC", *("no" if one == "?" else "signature and HMAC right" for one in by_kdc))
    by_client = [_one(person, r"^confirmed by this client; .* transcript ([0-9a-f]+)") for person in people]
    report.row("client_finish", *("no" if one == "?" else "confirmed by the client" for one in by_client))
    report.row("  transcript's hash", *(one[:24] + "…" for one in by_client))
    sessions = [_one(person, r"^<- welcome \S+ session (\d+)") for person in people]
    report.row("login, welcome", *(f"session {one}" for one in sessions))
    report.line()
    report.line(f"   The KDC's identity is {kdc_fingerprint}.")
    report.line()
    for i, person in enumerate(people):
        identity = fingerprint(servers[i].get("identity", b""))
        report.check(identity == kdc_fingerprint == by_kdc[i], f"{person.name} met the KDC that kdc-admin names, and it signed")
        report.check("?" not in (by_client[i], sessions[i]), f"{person.name} confirmed the key, then logged in")
        told = (_one(person, r"^-> client_hello, group \S+ random ([0-9a-f]+)"),
                _one(person, r"^<- server_hello, suite \S+ random ([0-9a-f]+)"))
        wire = (clients[i].get("random", b"").hex(), servers[i].get("random", b"").hex())
        report.check(all(w.startswith(t) for t, w in zip(told, wire)), f"{person.name}'s --debug says what the wire carried")
    report.check(any(line.endswith(f"has the fingerprint {kdc_fingerprint}") for line in alice.seen()),
                 f"{alice.name}'s /fingerprint told the same")
    for what in ("random", "public"):
        values = {one.get(what) for one in clients + servers}
        report.check(len(values) == 4 and None not in values, f"all four {what} values are different")
    report.check(len(set(sessions)) == 2, "the two sessions are different ones")


# ---- the conversation key ----

def epochs(person):
    """epoch: what the person's client said when it took it."""
    return {int(match["epoch"]): match for match in person.traced(EPOCH_TAKEN)}


def key_issue(report, alice, bob):
    report.heading("The key issue: the KDC gives both the same conversation key, twice")
    report.note("The client shows a hash of the key under a label, never the key. The KDC has wiped it by now.")
    report.line()
    taken = [epochs(person) for person in (alice, bob)]
    for epoch, why in ((FIRST_EPOCH, f"{alice.name}'s first text"), (SECOND_EPOCH, f"{alice.name}'s /rekey")):
        of_both = [one.get(epoch) for one in taken]
        if None in of_both:
            report.check(False, f"both took epoch {epoch}")
            continue
        report.title(f"Epoch {epoch}, for {why}")
        request = f"^-> open request (\\d+), {re.escape(bob.name)};"
        requests = alice.traced(request)
        grants = [person.traced(rf"^<- grant request (\d+), .*, epoch {epoch}, .*record of (\d+) bytes") for person in (alice, bob)]
        asked = grants[0][0][1] if grants[0] else "?"
        report.row("open", f"{alice.name} asks for {bob.name} (request {asked})")
        for i, person in enumerate((alice, bob)):
            report.row("grant", f"to {person.name}, in a record of {grants[i][0][2] if grants[i] else '?'} bytes")
        report.row("conversation, suite", f"{of_both[0]['conversation']}, {of_both[0]['suite']}")
        for i, person in enumerate((alice, bob)):
            report.row("key's fingerprint", f"{of_both[i]['key']} at {person.name}")
        report.line()
        report.check(any(match[1] == asked for match in requests), f"{alice.name} asked, and her grant answers that request")
        report.check(all(of_both[0][what] == of_both[1][what] for what in ("conversation", "suite", "key")),
                     f"both hold the same key in epoch {epoch}")
        for person in (alice, bob):
            confirms = [one for one in person.traced(CIPHERTEXT)
                        if one["way"] == "->" and int(one["epoch"]) == epoch and one["sequence"] == "0"]
            report.check(len(confirms) == 1, f"{person.name} confirmed epoch {epoch} to the other (sequence 0)")
        report.line()
    if all(FIRST_EPOCH in one and SECOND_EPOCH in one for one in taken):
        first, second = taken[0][FIRST_EPOCH], taken[0][SECOND_EPOCH]
        report.check(first["key"] != second["key"] and first["conversation"] == second["conversation"],
                     "/rekey gave the same conversation another key")


# ---- one message ----

def _ciphertexts(person, way, epoch, size):
    return [one for one in person.traced(CIPHERTEXT)
            if one["way"] == way and int(one["epoch"]) == epoch and int(one["sealed"]) == size]


def message(report, alice, bob):
    report.heading(f"One message: as {alice.name} typed it, as the KDC relayed it, as the wire carried it")
    report.title("Typed")
    report.row("", FIRST)
    report.row("", f"{len(FIRST.encode())} bytes")
    epoch = epochs(alice).get(FIRST_EPOCH)
    size = sealed_len(epoch["suite"], FIRST) if epoch else 0
    sent, got = _ciphertexts(alice, "->", FIRST_EPOCH, size), _ciphertexts(bob, "<-", FIRST_EPOCH, size)
    report.line()
    report.check(len(sent) == 1 and len(got) == 1, f"it became one message of {size} sealed bytes, which {bob.name} got once")
    if not (sent and got):
        return
    sent, got = sent[0], got[0]
    report.line()
    report.title(f"Inner: sealed under the conversation key ({epoch['suite']}), which the KDC wiped when it had issued it")
    report.row("conversation", f"{sent['conversation']}, epoch {sent['epoch']}, sequence {sent['sequence']}")
    report.row(f"sent by {alice.name}", sent["inner"] + "…")
    report.row(f"got by {bob.name}", got["inner"] + "…")
    report.line()
    report.check(all(sent[what] == got[what] for what in ("conversation", "sequence", "inner")),
                 "the KDC passed the inner ciphertext on as it was")
    records = [alice.tap.find(False, bytes.fromhex(sent["outer"]), int(sent["size"])),
               bob.tap.find(True, bytes.fromhex(got["outer"]), int(got["size"]))]
    report.line()
    report.title("Outer: that message in a record under a session key, captured on each link")
    for label, record in zip((f"{alice.name} to KDC", f"KDC to {bob.name}"), records):
        report.hex(label, record or b"")
    report.line()
    report.check(None not in records, "both records were captured, byte for byte as the clients saw them")
    report.check(records[0] != records[1], "the two links carried different bytes")
    inner = bytes.fromhex(sent["inner"])
    report.check(not any(inner in person.tap.captured() for person in (alice, bob)),
                 "not even the inner ciphertext is to be seen on a link")


# ---- the wire, the log ----

def wire(report, alice, bob, passwords):
    report.heading("Everything that was on the wire, searched")
    captured = {person: person.tap.captured() for person in (alice, bob)}
    for person, data in captured.items():
        report.row(f"{person.name}'s link", f"{len(data)} bytes, {person.tap.connections()} connection")
    report.line()
    for person, data in captured.items():
        hello = wiretap.client_hello(person.tap.frames(False)).get("random", b"")
        report.check(person.tap.connections() == 1 and len(hello) == 32 and hello in data,
                     f"the capture is this conversation's: {person.name}'s hello is found in it")
    everything = b"\0".join(captured.values())
    for what, needles in (("the four texts are not in it", [text for _, _, text, _ in texts(alice, bob)]),
                          ("the two passwords are not in it", passwords),
                          ("the two names are not in it", [alice.name, bob.name])):
        report.check(not any(needle.encode() in everything for needle in needles), what)


def log(report, alice, bob, lines, who, passwords):
    report.heading("What the operator saw: kdc-admin who, and kdcd's log")
    names = (alice.name, bob.name)
    for line in who:
        report.line("   " + line)
    report.line()
    report.check(all(any(name in line for line in who) for name in names), "while they talked, kdc-admin who listed both")
    report.line()
    conversation = epochs(alice).get(FIRST_EPOCH)
    number = conversation["conversation"] if conversation else "none"
    ours = [line for line in lines
            if any(name in line for name in names) or re.search(rf'conversation"?[=:]{number}\b', line)]
    for line in ours:
        report.line("   " + line)
    report.line()
    for name in names:
        told = sum(name in line and "logged in" in line for line in ours)
        report.check(told == 1, f"the log says that {name} logged in")
        gone = sum(name in line and "left" in line for line in ours)
        report.check(gone == 1, f"the log says that {name} left")
    for epoch in (FIRST_EPOCH, SECOND_EPOCH):
        issued = [line for line in ours if "key issued" in line and re.search(rf'epoch"?[=:]{epoch}\b', line)]
        report.check(len(issued) == 1, f"the log says that the key of epoch {epoch} was issued")
    secret = [text for _, _, text, _ in texts(alice, bob)] + passwords
    report.check(not any(needle in line for needle in secret for line in lines), "no text and no password is in the log")
    told = [line for person in (alice, bob) for line in person.trace]
    report.check(not any(needle in line for needle in secret for line in told),
                 "no text and no password is in what --debug printed")
