"""sql/schema.txt: what a fresh database has, by sql/schema_facts.sql. After a new migration: python3 tests/support/schema_facts.py"""
import pathlib
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from support.kdcd import Database  # noqa: E402  (the path is needed first)
from support.mariadb import MariaDb, make_template  # noqa: E402
from support.programs import ROOT  # noqa: E402

EXPECTED = ROOT / "sql" / "schema.txt"


def facts(database):
    """One line for each: kind, name and text, with tabs between them."""
    query = (ROOT / "sql" / "schema_facts.sql").read_text()
    return "".join(sorted("\t".join(str(value) for value in row) + "\n" for row in database.query(query)))


def main():
    with tempfile.TemporaryDirectory(prefix="kdc-facts-") as name:
        folder = pathlib.Path(name)
        make_template(folder / "template")
        server = MariaDb(folder, folder / "template")
        server.start()
        try:
            EXPECTED.write_text(facts(Database(server, folder)))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
