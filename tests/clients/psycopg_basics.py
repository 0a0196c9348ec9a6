"""psycopg 3 against a database: what an application does with it. Ends with 0 when all of it works.

The connection comes from libpq's environment variables.
"""

import datetime
import decimal
import uuid

import psycopg
from psycopg import errors
from psycopg.rows import dict_row


def types(conn):
    conn.execute(
        """CREATE TABLE things (
            id integer PRIMARY KEY, big bigint, small smallint, ratio double precision, price numeric(12, 2),
            name text, code varchar(10), raw bytea, yes boolean, day date, moment timestamp, instant timestamptz,
            tag uuid)"""
    )
    moment = datetime.datetime(2024, 2, 29, 12, 34, 56, 789000)
    instant = datetime.datetime(2024, 2, 29, 12, 34, 56, tzinfo=datetime.timezone.utc)
    row = (
        1, 2**62, -7, 0.1, decimal.Decimal("12345.67"), "Grüße 'quoted' \\ back", "abc", bytes(range(256)), True,
        datetime.date(1999, 12, 31), moment, instant, uuid.UUID(int=2**127 + 5),
    )
    marks = ", ".join(["%s"] * len(row))
    conn.execute(f"INSERT INTO things VALUES ({marks})", row)
    conn.execute(f"INSERT INTO things VALUES ({marks})", (2,) + (None,) * (len(row) - 1))
    for binary in (False, True):
        cur = conn.cursor(binary=binary)
        got = cur.execute("SELECT * FROM things WHERE id = %s", (1,)).fetchone()
        assert got == row, (binary, got, row)
        got = cur.execute("SELECT * FROM things WHERE id = %s", (2,)).fetchone()
        assert got == (2,) + (None,) * (len(row) - 1), (binary, got)
        assert cur.description[1].name == "big" and cur.description[1].type_code == 20, cur.description


def parameters(conn):
    assert conn.execute("SELECT %s::int + %s::int", (40, 2)).fetchone() == (42,)
    assert conn.execute("SELECT %s::text", ("x",)).fetchone() == ("x",)
    assert conn.execute("SELECT %(a)s::text || %(b)s::text", {"a": "l", "b": "r"}).fetchone() == ("lr",)
    for value in (1, 2, 3, 4, 5, 6, 7):
        # After the fifth time psycopg prepares it by itself.
        assert conn.execute("SELECT big FROM things WHERE id = %s", (1,)).fetchone() == (2**62,)
    assert conn.execute("SELECT name FROM things WHERE id = %s", (2,), prepare=True).fetchone() == (None,)


def transactions(conn):
    with conn.transaction():
        conn.execute("CREATE TABLE counts (id serial PRIMARY KEY, n integer NOT NULL)")
    try:
        with conn.transaction():
            conn.execute("INSERT INTO counts (n) VALUES (1)")
            raise KeyError("roll back")
    except KeyError:
        pass
    assert conn.execute("SELECT count(*) FROM counts").fetchone() == (0,)
    with conn.transaction():
        conn.execute("INSERT INTO counts (n) VALUES (1)")
        try:
            with conn.transaction():  # a savepoint
                conn.execute("INSERT INTO counts (n) VALUES (2)")
                raise KeyError("roll back to the savepoint")
        except KeyError:
            pass
    assert conn.execute("SELECT n FROM counts").fetchall() == [(1,)]
    got = conn.execute("INSERT INTO counts (n) VALUES (3) RETURNING id, n").fetchone()
    assert got[1] == 3 and isinstance(got[0], int), got
    cur = conn.cursor()
    cur.executemany("INSERT INTO counts (n) VALUES (%s)", [(n,) for n in range(10, 20)])
    assert conn.execute("SELECT sum(n) FROM counts WHERE n >= 10").fetchone() == (145,)
    assert conn.execute("UPDATE counts SET n = n + 1 WHERE n >= 10").rowcount == 10
    assert conn.execute("DELETE FROM counts WHERE n > 10").rowcount == 10


def failures(conn):
    conn.execute("CREATE TABLE people (id integer PRIMARY KEY, name text NOT NULL UNIQUE, age int CHECK (age >= 0))")
    conn.execute("INSERT INTO people VALUES (1, 'ann', 30)")
    expected = {
        "INSERT INTO people VALUES (1, 'bob', 1)": errors.UniqueViolation,
        "INSERT INTO people VALUES (2, 'ann', 1)": errors.UniqueViolation,
        "INSERT INTO people VALUES (2, NULL, 1)": errors.NotNullViolation,
        "INSERT INTO people VALUES (2, 'bob', -1)": errors.CheckViolation,
        "SELECT * FROM nobody": errors.UndefinedTable,
        "SELECT missing FROM people": errors.UndefinedColumn,
        "SELEC 1": errors.SyntaxError,
        "CREATE TABLE people (id int)": errors.DuplicateTable,
    }
    for sql, kind in expected.items():
        try:
            conn.execute(sql)
        except kind:
            continue
        raise AssertionError(f"{sql} did not fail with {kind}")
    assert conn.execute("SELECT count(*) FROM people").fetchone() == (1,), "failures change nothing"


def failed_transaction():
    with psycopg.connect() as conn:
        conn.execute("INSERT INTO people VALUES (7, 'eve', 1)")
        try:
            conn.execute("SELECT * FROM nobody")
            raise AssertionError("it did not fail")
        except errors.UndefinedTable:
            pass
        try:
            conn.execute("SELECT 1")
            raise AssertionError("a failed transaction went on")
        except errors.InFailedSqlTransaction:
            pass
        conn.rollback()
        assert conn.execute("SELECT count(*) FROM people WHERE id = 7").fetchone() == (0,)


def copy(conn):
    conn.execute("CREATE TABLE lines (n integer, line text)")
    with conn.cursor().copy("COPY lines (n, line) FROM STDIN") as copy:
        for n in range(1000):
            copy.write_row((n, f"line\t{n}\nand \\ more" if n % 2 else None))
    with conn.cursor().copy("COPY lines TO STDOUT") as copy:
        rows = list(copy.rows())
    assert len(rows) == 1000, len(rows)
    assert rows[0] == ("0", None) and rows[1] == ("1", "line\t1\nand \\ more"), rows[:2]


def large(conn):
    conn.execute("CREATE TABLE wide (n integer PRIMARY KEY, body text)")
    with conn.transaction():
        conn.cursor().executemany("INSERT INTO wide VALUES (%s, %s)", [(n, "x" * 1000) for n in range(5000)])
    rows = conn.execute("SELECT * FROM wide ORDER BY n").fetchall()
    assert len(rows) == 5000 and rows[4999] == (4999, "x" * 1000)
    with conn.transaction():
        with conn.cursor(name="walk") as cur:  # DECLARE, FETCH, CLOSE
            cur.itersize = 700
            assert sum(1 for _ in cur.execute("SELECT n FROM wide")) == 5000


def pipeline(conn):
    with conn.pipeline():
        cursors = [conn.execute("SELECT %s::int", (n,)) for n in range(100)]
    assert [cur.fetchone()[0] for cur in cursors] == list(range(100))


with psycopg.connect(autocommit=True) as conn:
    types(conn)
    parameters(conn)
    transactions(conn)
    failures(conn)
    failed_transaction()
    copy(conn)
    large(conn)
    pipeline(conn)
    named = conn.cursor(row_factory=dict_row).execute("SELECT 1 AS one, 'a' AS letter").fetchone()
    assert named == {"one": 1, "letter": "a"}, named
print("psycopg works")
