"""Everything bad that can be sent to kdcd. Two people talk all along, and each attack's cause is in the log."""
import pytest

from interop.attack import DEADLINE, TwoPeople, connect
from support.kdcd import Database, Kdcd
from support.programs import SLOWER


@pytest.fixture(scope="module")
def kdc(mariadb, new_folder):
    """One for all of these tests: none of them may do it harm."""
    database = Database(mariadb, new_folder())
    daemon = Kdcd(database, new_folder(), limits={
        "handshake_deadline": DEADLINE * SLOWER, "login_deadline": 6 * SLOWER, "connections_per_source": 2000,
        "conversations": 3}, log={"refusals": 100000}, threads={"reactors": 2, "workers": 2})
    daemon.start()
    daemon.known_fingerprint = daemon.fingerprint
    for name in ("mallory", "carol", "dave", "erin", "frank", "locked", "disabled"):
        daemon.add_user(name)
    yield daemon
    daemon.stop()
    database.drop()


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
