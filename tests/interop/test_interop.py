"""The Python client with the real kdcd and the real kdc-chat, over every group and every suite."""
import concurrent.futures
import socket
import time

import pytest

from interop.attack import read_alert
from interop.client import Client, Closed, Connection, Refused
from interop.messages import encode_message
from interop.protocol import CLIENT_FINISH, SERVER_HELLO, TOGETHER_MAX, Alerted, ProtocolError, Ticket, frame
from interop.suites import AES_GCM, CHACHA20, GROUP_BY_NAME, SUITE_NAMES, TRIPLE_DES
from support.programs import SLOWER

PASSWORD = "correct horse"
EVERY_GROUP = {"groups": ", ".join(GROUP_BY_NAME)}
EVERY_SUITE = {"suites": ", ".join(SUITE_NAMES.values())}
TEXTS = ["plain ASCII, 'quoted' and \"quoted\" \\", "Ünïcødé ☃ 木 🂡 e\u0301", "ä" * 8192]
assert len(TEXTS[2].encode()) == 16384

# Not the whole product: every group once, every pair of suites once.
PAIRS = [(record, conversation) for record in SUITE_NAMES for conversation in SUITE_NAMES]
CASES = [("ffdhe2048" if at % 2 else "ffdhe3072", *pair) for at, pair in enumerate(PAIRS)] + [
    ("ffdhe4096", CHACHA20, TRIPLE_DES), ("ffdhe6144", AES_GCM, CHACHA20), ("ffdhe8192", TRIPLE_DES, AES_GCM)]


def case_name(case):
    return f"{case[0]}, record {SUITE_NAMES[case[1]]}, conversation {SUITE_NAMES[case[2]]}"


def connect(kdc, name=None, group=None, suite=None, **more):
    """A client that knows the KDC; with a name it is logged in, too."""
    choices = {"groups": [GROUP_BY_NAME[group].number]} if group else {}
    if suite:
        choices["suites"] = [suite]
    client = Client(kdc.server, fingerprint=kdc.fingerprint, timeout=20 * SLOWER, **choices, **more)
    if name:
        client.login(name, PASSWORD)
    return client


def open_when_online(client, peer):
    """As a person who sees that somebody isn't there yet: the KDC tells when they come."""
    try:
        return client.open(peer)
    except Refused as refused:
        assert refused.reason == "peer_offline"
    client.wait_for(lambda: {"message": "presence", "name": peer, "presence": "online"} in client.events)
    return client.open(peer)


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_kdc_chat_and_the_python_client_talk(kdcd, person, case):
    group, record_suite, conversation_suite = case
    kdc = kdcd(policy={**EVERY_GROUP, **EVERY_SUITE, "conversation_suite": SUITE_NAMES[conversation_suite]})
    bob = person(kdc, "bob")
    choices = ["--group", group, "--suite", SUITE_NAMES[record_suite]]
    kdc.add_user("py")
    with connect(kdc, "py", group, record_suite) as py:
        assert (py.shake.group.name, py.shake.suite) == (group, record_suite)

        listener = bob.start(*choices, "listen", "--json", "--count", len(TEXTS) + 1, "--timeout", "30")
        grant = open_when_online(py, "bob")
        assert (grant["epoch"], grant["suite"]) == (1, conversation_suite)
        assert (grant["a"], grant["b"], grant["session_a"]) == ("py", "bob", py.session)
        for text in TEXTS:
            py.send_text("bob", text, wait=False)
        # A new epoch while those are on their way: they aren't lost, and aren't shown twice.
        assert py.open("bob")["epoch"] == 2
        py.send_text("bob", "under the new key")
        heard = bob.finish_json(listener)
        assert [line["text"] for line in heard] == [*TEXTS, "under the new key"]
        assert {(line["type"], line["from"], line["to"], line["conversation"]) for line in heard} == {
            ("text", "py", "bob", grant["conversation"])}
        assert heard[-1]["epoch"] == 2

        with concurrent.futures.ThreadPoolExecutor(1) as beside:
            for text in TEXTS:
                sending = beside.submit(bob.run, *choices, "send", "py", "-", text=text, check=0)
                assert py.receive() == [("bob", text)]
                sending.result()


def test_a_new_epoch_while_kdc_chat_sends_loses_nothing_and_doubles_nothing(kdcd, person):
    kdc = kdcd()
    bob = person(kdc, "bob")
    kdc.add_user("py")
    with connect(kdc, "py") as py:
        # A newer epoch comes before the text is acknowledged: kdc-chat says it again in that one.
        py.holds_receipts = True
        sender = bob.start("send", "py", "said once")
        py.wait_for(lambda: py.texts)
        py.open("bob")
        py.wait_for(lambda: [event["epoch"] for event in py.events if event.get("content") == "text"] == [1, 2])
        py.holds_receipts = False
        assert py.receive() == [("bob", "said once")]
        status, _, errors = bob.finish(sender)
        assert status == 0, errors
        py.ping()
        assert py.texts == []


def test_epochs_in_quick_succession_lose_nothing_and_make_no_more_epochs(kdcd, person):
    kdc = kdcd()
    bob = person(kdc, "bob")
    kdc.add_user("py")
    with connect(kdc, "py") as py:
        listener = bob.start("listen", "--json", "--count", "41", "--timeout", "30")
        open_when_online(py, "bob")
        texts = [f"text {number}" for number in range(40)]
        for number, text in enumerate(texts):
            if number % 2 == 0:
                py.send_message("open", request=1000 + number, peer="bob")
            py.send_text("bob", text, wait=False)
        py.wait_for(lambda: py.conversations["bob"].epoch.number == 21)
        py.flush("bob")
        py.send_text("bob", "the end")
        assert [line["text"] for line in bob.finish_json(listener)] == [*texts, "the end"]
        assert py.conversations["bob"].epoch.number == 21


def test_a_group_that_the_policy_refuses_is_tried_again_with_one_that_it_takes(kdcd):
    kdc = kdcd(policy={"groups": "ffdhe4096, ffdhe3072"})
    kdc.add_user("alice")
    groups = [GROUP_BY_NAME[name].number for name in ("ffdhe2048", "ffdhe3072", "ffdhe4096")]
    with Client(kdc.server, kdc.fingerprint, groups=groups) as alice:
        assert alice.shake.retried
        assert alice.shake.group.name == "ffdhe4096", "the KDC's preferred one"
        alice.login("alice", PASSWORD)
        alice.ping()
    with pytest.raises(ProtocolError, match="no group in common"):
        Client(kdc.server, kdc.fingerprint, groups=groups[:1])


def test_another_kdc_than_the_known_one_gets_no_password(kdcd):
    kdc = kdcd()
    with pytest.raises(ProtocolError, match="identity"):
        Client(kdc.server, "SHA256:" + "A" * 43)


def test_two_python_clients_do_all_that_the_document_names(kdcd):
    kdc = kdcd()
    with connect(kdc, suite=TRIPLE_DES) as alice, connect(kdc, suite=AES_GCM) as bob:
        alice.register("alice", PASSWORD)
        assert alice.who("alice")[0] == "online"
        with pytest.raises(Refused, match="no_such_user"):
            alice.open("bob")
        bob.register("bob", PASSWORD)
        first = alice.open("bob")
        bob.wait_for(lambda: "alice" in bob.conversations)
        for text in TEXTS:
            alice.send_text("bob", text, wait=False)
            bob.send_text("alice", text.upper(), wait=False)
        assert bob.receive(3) == [("alice", text) for text in TEXTS]
        assert alice.receive(3) == [("bob", text.upper()) for text in TEXTS]
        alice.flush("bob")
        bob.flush("alice")

        # Both ask for a new epoch at once: two epochs come, in the same order for both, and the newer one counts.
        for client, peer in ((alice, "bob"), (bob, "alice")):
            client.send_message("open", request=1000, peer=peer)
        for client, peer in ((alice, "bob"), (bob, "alice")):
            client.wait_for(lambda client=client, peer=peer:
                            client.conversations[peer].epoch.number == first["epoch"] + 2)
        alice.send_text("bob", "after both", wait=False)
        assert bob.receive() == [("alice", "after both")]
        alice.flush("bob")

        assert [name for name, _ in alice.list()] == ["alice", "bob"]
        since = alice.who("bob")[1]
        assert first["time"] - 60_000 < since <= first["time"]
        bob.close()
        alice.wait_for(lambda: {"message": "presence", "name": "bob", "presence": "offline"} in alice.events)
        assert alice.who("bob")[0] == "offline"
        with pytest.raises(Refused, match="peer_offline"):
            alice.open("bob")
        with connect(kdc, "bob") as again:
            alice.wait_for(lambda: {"message": "presence", "name": "bob", "presence": "online"} in alice.events)
            # Epochs only rise, also over sessions.
            assert again.open("alice")["epoch"] == first["epoch"] + 3
            alice.wait_for(lambda: alice.conversations["bob"].epoch.number == first["epoch"] + 3)
            alice.send_text("bob", "welcome back", wait=False)
            assert again.receive() == [("alice", "welcome back")]


def test_texts_that_were_never_acknowledged_come_again_in_the_next_epoch_and_are_shown_once(kdcd):
    kdc = kdcd()
    kdc.add_user("alice")
    kdc.add_user("bob")
    with connect(kdc, "alice") as alice, connect(kdc, "bob") as bob:
        alice.open("bob")
        bob.wait_for(lambda: "alice" in bob.conversations)
        for number in range(20):
            alice.send_text("bob", f"text {number}", wait=False)
        # Bob takes the first ten and acknowledges none; then his chain is out of step with what comes.
        while len(bob.texts) < 10:
            message = bob.read_message()
            if message["message"] == "ciphertext":
                bob.texts += [("alice", content["text"].decode())
                              for content in [bob.conversations["alice"].open(message)]
                              if content["content"] == "text" and bob.conversations["alice"].is_new(content)]
        bob.conversations["alice"].epoch.receiving.next += 1
        # The first that doesn't open makes him ask for a new epoch, in which Alice sends all twenty again.
        end = [("alice", f"text {number}") for number in range(20)]
        bob.wait_for(lambda: bob.conversations["alice"].epoch.number == 2)
        alice.wait_for(lambda: alice.conversations["bob"].epoch.number == 2)
        assert bob.receive(20) == end
        alice.flush("bob")
        bob.ping()
        assert bob.texts == []


@pytest.mark.slow
def test_record_keys_of_triple_des_are_renewed_after_so_many_records(kdcd):
    kdc = kdcd()
    kdc.add_user("alice")
    with connect(kdc, "alice", suite=TRIPLE_DES) as alice:
        # In flights, so that neither side waits for each answer, and neither has to hold many.
        token = 0
        while alice.sending.renewals == 0 or alice.receiving.renewals == 0:
            for token in range(token + 1, token + 257):
                alice.send_message("ping", token=token)
            alice.wait_for(lambda: token in alice._pongs)
        assert alice.sending.sequence > 65536
        alice.ping()


def test_record_keys_of_triple_des_are_renewed_after_so_many_bytes(kdcd):
    kdc = kdcd()
    kdc.add_user("alice")
    kdc.add_user("bob")
    with connect(kdc, "alice", suite=TRIPLE_DES) as alice, connect(kdc, "bob", suite=TRIPLE_DES) as bob:
        alice.open("bob")
        bob.wait_for(lambda: "alice" in bob.conversations)
        text = "x" * 16384
        while not (alice.sending.renewals and bob.receiving.renewals):
            alice.send_text("bob", text, wait=False)
            assert bob.receive() == [("alice", text)]
            alice.flush("bob")
        assert alice.sending.sequence < 1000
        alice.send_text("bob", "still in step", wait=False)
        assert bob.receive() == [("alice", "still in step")]


@pytest.mark.slow
def test_a_session_that_is_silent_for_three_pings_is_ended(kdcd):
    kdc = kdcd(limits={"ping_seconds": 2})
    kdc.add_user("alice")
    with connect(kdc, "alice") as alice:
        assert alice.welcome["ping_seconds"] == 2
        begin = time.monotonic()
        for _ in range(5):
            time.sleep(1.5)
            spoke = time.monotonic()
            alice.ping()
        assert spoke - begin > 6
        with pytest.raises(Closed) as closed:
            alice.serve()
        assert closed.value.reason == "silent"
        assert time.monotonic() - spoke > 5
        alice.name = None


def test_how_bytes_come_in_segments_makes_no_difference(kdcd):
    kdc = kdcd()
    kdc.add_user("alice")
    login = encode_message("login", name=b"alice", password=PASSWORD.encode())
    with Client(kdc.server, handshake=False) as alice:
        for byte in alice.shake.hello():
            alice.send(bytes([byte]))
        finish = alice.shake.take(alice.read_frame())
        alice.begin_records()
        # The finish and the login in one segment.
        alice.send(finish + alice.sending.seal(login))
        assert alice.read_message()["message"] == "welcome"
        ping = encode_message("ping", token=7)
        records = alice.sending.seal(ping) + alice.sending.seal(ping) + alice.sending.seal(ping)
        alice.send(records[:30])
        time.sleep(0.1)
        alice.send(records[30:])
        assert [alice.read_message() for _ in range(3)] == [{"message": "pong", "token": 7}] * 3


@pytest.mark.parametrize("suite", SUITE_NAMES, ids=SUITE_NAMES.get)
def test_many_messages_go_in_one_record_and_come_in_one(kdcd, suite):
    kdc = kdcd(threads={"reactors": 1})
    kdc.add_user("alice")
    kdc.add_user("bob")
    with connect(kdc, "alice", suite=suite) as alice, connect(kdc, "bob", suite=suite) as bob:
        pings = [encode_message("ping", token=token) for token in range(100)]
        alice.record_sizes.clear()
        alice.send(alice.sending.seal(*pings))
        assert [alice.read_message()["token"] for _ in pings] == list(range(100))
        assert alice.record_sizes == [100]

        alice.open("bob")
        bob.wait_for(lambda: "alice" in bob.conversations)
        bob.receive(0)
        conversation = alice.conversations["bob"]
        alice.wait_for(lambda: not conversation.queue)
        for number in range(60):
            conversation.text(f"text {number}".encode())
        messages = [encode_message("ciphertext", **conversation.next()) for _ in range(60)]
        alice.under_way[conversation.number] += sum(map(len, messages))
        bob.record_sizes.clear()
        alice.send(alice.sending.seal(*messages))
        assert bob.receive(60) == [("alice", f"text {number}") for number in range(60)]
        # The confirm of the new epoch may have come by itself; the output's memory begins with 8 KiB.
        assert sum(bob.record_sizes) in (60, 61) and len(bob.record_sizes) <= 3
        alice.flush("bob")


def test_a_record_that_brings_much_is_split_at_the_bound(kdcd):
    kdc = kdcd()
    kdc.add_user("alice")
    with connect(kdc, "alice") as alice:
        most = TOGETHER_MAX // len(frame(encode_message("ping", token=0)))
        pings = [encode_message("ping", token=token) for token in range(4 * most)]
        records = [alice.sending.seal(*pings[first:first + most]) for first in range(0, 4 * most, most)]
        alice.record_sizes.clear()
        alice.send(b"".join(records))
        assert [alice.read_message()["token"] for _ in pings] == list(range(4 * most))
        assert max(alice.record_sizes) <= most


def test_a_login_elsewhere_takes_over(kdcd):
    kdc = kdcd()
    kdc.add_user("alice")
    with connect(kdc, "alice") as older, connect(kdc, "alice") as newer:
        with pytest.raises(Closed) as closed:
            older.serve()
        assert closed.value.reason == "taken_over"
        older.name = None
        newer.ping()


# --- Resumption -------------------------------------------------------------------------------------------------------

def leave_with_ticket(kdc, name, **choices):
    with connect(kdc, name, **choices) as client:
        assert client.welcome["ticket_seconds"] > 0
        return client.ticket


def test_a_ticket_spares_the_password_and_brings_the_next_ticket(kdcd):
    kdc = kdcd()
    kdc.add_user("alice")
    kdc.add_user("bob")
    with connect(kdc, "bob") as bob:
        with connect(kdc, "alice") as alice:
            first = alice.session
            ticket = alice.ticket
            assert bob.open("alice")["epoch"] == 1
        used = [ticket]
        for suite in SUITE_NAMES:
            with connect(kdc, suite=suite, ticket=used[-1]) as alice:
                assert alice.shake.resumed
                assert (alice.name, alice.shake.suite) == ("alice", suite)
                assert alice.session != first
                assert alice.ticket.sealed not in [one.sealed for one in used]
                assert alice.ticket.secret != used[-1].secret
                used.append(alice.ticket)
                alice.open("bob")
                bob.wait_for(lambda alice=alice: "alice" in bob.conversations and
                             bob.conversations["alice"].sessions["alice"] == alice.session)
                alice.send_text("bob", f"as before {suite}", wait=False)
                assert bob.receive() == [("alice", f"as before {suite}")]
                alice.flush("bob")


def test_a_ticket_is_taken_after_a_retry_too(kdcd):
    kdc = kdcd(policy={"groups": "ffdhe3072"})
    kdc.add_user("alice")
    ticket = leave_with_ticket(kdc, "alice")
    groups = [GROUP_BY_NAME[name].number for name in ("ffdhe2048", "ffdhe3072")]
    with Client(kdc.server, kdc.fingerprint, groups=groups, ticket=ticket) as alice:
        assert alice.shake.retried and alice.shake.resumed
        alice.ping()


@pytest.mark.parametrize("at", [0, 7, 8, 39, 40, 100, -17, -1])
def test_a_ticket_with_a_flipped_byte_leaves_the_password(kdcd, at):
    kdc = kdcd()
    kdc.add_user("alice")
    ticket = leave_with_ticket(kdc, "alice")
    sealed = bytearray(ticket.sealed)
    sealed[at] ^= 1
    with connect(kdc, ticket=ticket._replace(sealed=bytes(sealed))) as alice:
        assert not alice.shake.resumed
        alice.login("alice", PASSWORD)
        alice.ping()


@pytest.mark.parametrize("sealed", [b"\0", bytes(512)], ids=len)
def test_what_is_no_ticket_at_all_leaves_the_password(kdcd, sealed):
    kdc = kdcd()
    kdc.add_user("alice")
    with connect(kdc, ticket=Ticket(sealed, bytes(64))) as alice:
        assert not alice.shake.resumed
        alice.login("alice", PASSWORD)


def test_a_ticket_without_its_secret_gets_confirm(kdcd):
    kdc = kdcd()
    kdc.add_user("alice")
    ticket = leave_with_ticket(kdc, "alice")
    with pytest.raises(Alerted) as alerted:
        connect(kdc, ticket=ticket._replace(secret=bytes(64)))
    assert alerted.value.reason == "confirm"
    # The ticket is none the worse for it.
    with connect(kdc, ticket=ticket) as alice:
        assert alice.shake.resumed


def test_a_copied_hello_with_somebodys_ticket_can_not_be_finished(kdcd):
    kdc = kdcd()
    kdc.add_user("alice")
    ticket = leave_with_ticket(kdc, "alice")
    with Client(kdc.server, handshake=False, ticket=ticket) as alice:
        hello = alice.shake.hello()
        alice.send(hello)
        finish = alice.shake.take(alice.read_frame())
        assert alice.shake.resumed
        for last in (finish, frame(bytes([CLIENT_FINISH]) + bytes(64))):
            with Connection(kdc.server, 20 * SLOWER) as mallory:
                mallory.send(hello)
                answer = mallory.read_frame()
                assert answer[4] == SERVER_HELLO
                mallory.send(last)
                assert read_alert(mallory) == "confirm"
        # Alice, whose hello it was, comes in all the same.
        alice.send(finish)
        alice.begin_records()
        assert alice.read_message()["name"] == "alice"


# --- Flow -------------------------------------------------------------------------------------------------------------

def test_a_credit_of_a_clients_is_out_of_order(kdcd):
    kdc = kdcd()
    kdc.add_user("alice")
    with connect(kdc, "alice") as alice:
        alice.send_message("credit", conversation=1, bytes=1)
        with pytest.raises(Closed) as closed:
            alice.serve()
        assert closed.value.reason == "out_of_order"
        alice.name = None


def window_of(client, peer):
    return client.under_way[client.conversations[peer].number]


def receive_while_flushing(sender, receiver, texts):
    with concurrent.futures.ThreadPoolExecutor(1) as beside:
        flushing = beside.submit(sender.flush, receiver.name)
        assert receiver.receive(len(texts)) == [(sender.name, text) for text in texts]
        flushing.result()


def test_a_sender_gets_back_what_its_peer_took(kdcd):
    kdc = kdcd()
    kdc.add_user("alice")
    kdc.add_user("bob")
    with connect(kdc, "alice") as alice, connect(kdc, "bob") as bob:
        alice.open("bob")
        bob.wait_for(lambda: "alice" in bob.conversations)
        texts = ["x" * 16384] * 12
        for text in texts:
            alice.send_text("bob", text, wait=False)
        assert alice.conversations["bob"].queue, "the window holds some back"
        assert 32768 <= window_of(alice, "bob") < 32768 + 16461
        receive_while_flushing(alice, bob, texts)
        # Credit comes in pieces of 16 KiB: less than one is owed at the end.
        alice.wait_for(lambda: window_of(alice, "bob") < 16384)


def test_a_sender_gets_back_what_was_under_way_to_a_session_that_ended(kdcd):
    kdc = kdcd()
    kdc.add_user("alice")
    kdc.add_user("bob")
    texts = ["x" * 16384] * 12
    with connect(kdc, "alice") as alice:
        with connect(kdc, "bob") as bob:
            alice.open("bob")
            bob.wait_for(lambda: "alice" in bob.conversations)
            for text in texts:
                alice.send_text("bob", text, wait=False)
            assert alice.conversations["bob"].queue
        # What is undelivered comes back at once: nothing is under way when all was tried.
        alice.wait_for(lambda: {"message": "presence", "name": "bob", "presence": "offline"} in alice.events)
        alice.wait_for(lambda: not alice.conversations["bob"].queue and window_of(alice, "bob") == 0)
        with connect(kdc, "bob") as bob:
            alice.open("bob")
            bob.wait_for(lambda: "alice" in bob.conversations)
            receive_while_flushing(alice, bob, texts)
            alice.wait_for(lambda: window_of(alice, "bob") < 16384)


def test_one_who_reads_slowly_holds_up_that_conversation_alone(kdcd):
    kdc = kdcd()
    for name in ("alice", "bob", "carol"):
        kdc.add_user(name)
    with connect(kdc, "alice") as alice, connect(kdc, "bob") as bob, connect(kdc, "carol") as carol:
        for slow in (bob, carol):
            alice.open(slow.name)
            slow.wait_for(lambda slow=slow: "alice" in slow.conversations)
        bob.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        texts = [f"{number:04} " + "x" * 16000 for number in range(64)]
        for text in texts:
            alice.send_text("bob", text, wait=False)
        for number in range(8):
            alice.send_text("carol", f"beside {number}", wait=False)
            assert carol.receive() == [("alice", f"beside {number}")]
            alice.flush("carol")
        held_up = bool(alice.conversations["bob"].queue)
        receive_while_flushing(alice, bob, texts)
    if not held_up:
        pytest.skip("the kernel's buffers took all of it: nothing was held up")
