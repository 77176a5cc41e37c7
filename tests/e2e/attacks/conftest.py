"""Everything bad that can be sent to kdcd. Two people talk all along, and each attack's cause is in the log."""
import pytest

from interop.attack import DEADLINE, TwoPeople, attacked, connect


@pytest.fixture(scope="module")
def kdc(mariadb, new_folder):
    """One for all tests of a file: none of them may do it harm."""
    with attacked(mariadb, new_folder, DEADLINE, 30) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def people(kdc):
    two = TwoPeople(kdc)
    yield two
    two.leave()


@pytest.fixture(autouse=True)
def undisturbed(kdc, people):
    """After each attack the two who were there all along still talk."""
    people.talk()
    yield
    people.talk()


@pytest.fixture
def logged(kdc):
    """logged("public_value"): since the test began the log names this cause, or one of a|b."""
    begin = len(kdc.log())
    return lambda cause: kdc.wait_log(rf"reason=({cause})\b", since=begin)


@pytest.fixture
def mallory(kdc):
    with connect(kdc, "mallory") as client:
        yield client
        client.name = None
