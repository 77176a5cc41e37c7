"""The mails of codes: servers that are away, refuse, are slow or mean harm; what a mail looks like, and what settings do."""
import re
import socket

import pytest

from interop.attack import PASSWORD
from interop.client import refusal_of
from support import kdcd as kdcd_support
from support.ports import free_port
from support.programs import SLOWER, wait_until
from support.registering import register
from support.smtp import HostileServer, SmtpServer, make_authority, make_certificate
from support.timing import clock


def test_a_server_that_is_away_holds_up_nobody_and_gets_the_mail_later(mailing, smtp):
    kdc = mailing()
    smtp.stop()
    begin = clock()
    with register(kdc) as bob:
        assert clock() - begin < 5 * SLOWER
        kdc.wait_log("warn mails can't be sent cause=.*(refused|connect)")
        assert smtp.mails == []
        smtp.start()
        bob.activate("bob", PASSWORD, smtp.code(seconds=30))
        kdc.wait_log("info the mail server takes mails again")


def test_a_certificate_that_isnt_the_servers_gets_no_mail(mailing, smtp, session_folder, authority, new_folder):
    folder = new_folder()
    cases = {
        "another name": make_certificate(folder, authority, "DNS:mail.example.com", "other-name"),
        "another authority": make_certificate(folder, make_authority(folder, "stranger"), name="stranger-server"),
    }
    for context in cases.values():
        port = free_port()
        wrong = SmtpServer(context, port=port).start()
        kdc = mailing(mail={"port": port})
        with register(kdc):
            kdc.wait_log("warn mails can't be sent cause=.*(certificate|verif|SSL|name)")
            assert wrong.mails == []
        kdc.stop()
        kdc.database.query("DELETE FROM users")
        wrong.stop()


def test_a_server_without_starttls_gets_no_mail(mailing):
    plain = SmtpServer().start()
    kdc = mailing(mail={"port": plain.port})
    with register(kdc):
        kdc.wait_log("warn mails can't be sent cause=")
        assert plain.mails == []
    kdc.stop()
    plain.stop()


def test_without_tls_only_when_told_so(mailing):
    plain = SmtpServer().start()
    kdc = mailing(mail={"port": plain.port, "tls": "none"})
    with register(kdc) as bob:
        bob.activate("bob", PASSWORD, plain.code())
        assert not plain.mails[0]["encrypted"]
    kdc.stop()
    plain.stop()


def test_with_tls_from_the_first_byte_and_a_password(mailing, certificate, new_folder):
    password_file = new_folder() / "mail-password"
    password_file.touch(mode=0o600)
    password_file.write_text("s3cret of the mail server\n")
    server = SmtpServer(certificate, tls=True, user="kdcd", password="s3cret of the mail server").start()
    kdc = mailing(mail={"port": server.port, "tls": "tls", "user": "kdcd", "password_file": password_file})
    with register(kdc) as bob:
        bob.activate("bob", PASSWORD, server.code())
    assert server.mails[0]["encrypted"]
    kdc.stop()
    password_file.write_text("a wrong one\n")
    kdc.start()
    with register(kdc, "carol", "carol@example.org"):
        kdc.wait_log("warn mails can't be sent cause=")
        assert len(server.mails) == 1
    kdc.stop()
    server.stop()


def test_what_a_server_refuses_for_good_is_dropped_and_for_now_tried_again(mailing, smtp):
    kdc = mailing()
    smtp.refuse["nobody@.*"] = "550 no such mailbox"
    smtp.refuse["grey@.*"] = "451 try again"
    with register(kdc, "nobody", "nobody@example.org"), register(kdc, "grey", "grey@example.org"):
        kdc.wait_log("warn the mail server refuses a mail user=nobody cause=.*550")
        kdc.wait_log("warn the mail server takes a mail not now user=grey cause=.*451")
        with register(kdc, "bob") as bob:
            bob.activate("bob", PASSWORD, smtp.code())  # nobody waits for another's mail
        del smtp.refuse["grey@.*"]
        assert smtp.wait(2, 30)[1]["to"] == ["grey@example.org"]
    status = wait_until("both are counted", lambda: (one := kdc.admin_json("status"))["mails_sent_total"] == 2 and one)
    assert status["mails_waiting"] == 0 and status["mail_up"] == 1
    assert status["mails_dropped_total"] == {"refused": 1, "full": 0} and status["mail_retries_total"] >= 1
    assert "451" in status["mail_last_error"] or "550" in status["mail_last_error"]


def test_nobody_waits_long_for_a_mail_that_the_server_never_answers(mailing, smtp):
    kdc = mailing(mail={"timeout": 1})
    smtp.slow["tarpit@.*"] = 60
    with register(kdc, "eve", "tarpit@example.org"), register(kdc, "bob") as bob:
        kdc.wait_log("warn mails can't be sent cause=.*[Tt]ime")
        bob.activate("bob", PASSWORD, smtp.code(seconds=20))


@pytest.mark.parametrize("tricks", ["strip", "554", "421", "endless", "huge", "inject"])
def test_a_server_that_means_harm_gets_no_mail_and_holds_up_nobody(mailing, certificate, tricks):
    with HostileServer(certificate, tricks) as hostile:
        kdc = mailing(mail={"port": hostile.port, "timeout": 2})
        with register(kdc) as bob:
            kdc.wait_log("warn mails can't be sent cause=")
            assert refusal_of(bob.login, "bob", PASSWORD) == "account_pending"
        assert not re.search(rb"(?i)mail from|rcpt to|bob@example", hostile.heard)
        status = kdc.admin_json("status")
        assert status["mail_up"] == 0 and status["mails_waiting"] == 1
        kdc.stop()


def test_the_environment_turns_mail_nowhere_else(mailing, smtp, monkeypatch):
    proxies = dict.fromkeys(("all_proxy", "ALL_PROXY", "smtp_proxy", "http_proxy", "https_proxy"), "http://127.0.0.1:1")
    plain = kdcd_support.environment
    monkeypatch.setattr(kdcd_support, "environment", lambda folder, extra=None: plain(folder, {**proxies, **(extra or {})}))
    kdc = mailing()
    with register(kdc) as bob:
        bob.activate("bob", PASSWORD, smtp.code())


def test_many_mails_over_one_connection(mailing, smtp):
    kdc = mailing()
    clients = [register(kdc, f"user{number}", f"user{number}@example.org") for number in range(6)]
    mails = smtp.wait(6, 30)
    assert sorted(mail["to"][0] for mail in mails) == [f"user{number}@example.org" for number in range(6)]
    for client in clients:
        client.__exit__(None, None, None)


def test_the_template_is_the_operators(mailing, smtp, new_folder):
    template = new_folder() / "mail.txt"
    template.write_text("Subject: Ihr Schl\u00fcssel\n\nHallo {name},\n\n{code}\n\n.\ng\u00fcltig f\u00fcr {minutes} Minuten\n")
    kdc = mailing(mail={"template": template}, registration={"activation_minutes": 3})
    with register(kdc) as bob:
        code = smtp.code()
        assert smtp.mails[0]["message"]["Subject"] == "Ihr Schl\u00fcssel"
        assert smtp.mails[0]["text"].replace("\r", "").strip() == f"Hallo bob,\n\n{code}\n\n.\ng\u00fcltig f\u00fcr 3 Minuten"
        bob.activate("bob", PASSWORD, code)


@pytest.mark.parametrize("settings, words", [
    ({"mail": {"server": None, "from": None, "ca": None, "port": None, "timeout": None}}, "needs a server to mail by"),
    ({"mail": {"from": "nobody"}}, "mail.from"),
    ({"mail": {"template": "/nowhere/template"}}, "/nowhere/template"),
    ({"mail": {"user": "kdcd"}}, "mail.user"),
])
def test_mail_that_cant_work_is_told_at_the_start(mailing, settings, words):
    kdc = mailing(start=False, **settings)
    kdc.start(wait=False)
    assert kdc.process.wait(10 * SLOWER) == 3
    kdc.process = None
    assert words in kdc.log()


def test_a_stop_waits_for_no_mail_server(mailing, smtp):
    """One that takes the connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        kdc = mailing(mail={"port": silent.getsockname()[1], "timeout": 60})
        with register(kdc):
            connection, _ = silent.accept()
            begin = clock()
        kdc.stop()
        assert clock() - begin < 8 * SLOWER
        connection.close()


@pytest.mark.parametrize("when", ["between two mails", "in the middle of one"])
def test_a_stop_waits_for_no_mail_server_that_answered_before(mailing, smtp, when):
    kdc = mailing(mail={"timeout": 60})
    if when == "in the middle of one":
        smtp.slow["carol@.*"] = 60
    with register(kdc):
        kdc.wait_log("mailed a code user=bob")
    if when == "in the middle of one":
        with register(kdc, "carol", "carol@example.org"):
            wait_until("the server is asked for carol", lambda: smtp.slow_ones)
    with smtp.frozen():
        begin = clock()
        kdc.stop()
        assert clock() - begin < 8 * SLOWER
