"""Fixtures of kdc-chat as people meet it: in a real terminal."""

import pytest

from support.terminal import Terminal


@pytest.fixture
def kdc(kdcd):
    return kdcd()


@pytest.fixture
def open_terminal(new_folder):
    """open_terminal(command, env)"""
    opened = []

    def make(command, env):
        one = Terminal(new_folder(), command, env)
        opened.append(one)
        return one
    yield make
    for one in opened:
        one.close()


@pytest.fixture
def terminal(open_terminal):
    """terminal(person) opens kdc-chat in a terminal and logs in; with login=False it leaves that to the test."""

    def make(person, *arguments, login=True, ready=True):
        one = open_terminal(person.command(*arguments, login=login), person.env)
        if login and ready:
            one.wait(f"Logged in as {person.name} ")
            one.wait_last(f"{person.name}>")
        return one
    return make
