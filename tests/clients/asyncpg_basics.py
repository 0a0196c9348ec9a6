"""asyncpg against a database: it speaks the extended protocol in binary only. Ends with 0 when all of it works.

The connection comes from libpq's environment variables.
"""

import asyncio
import datetime
import decimal
import uuid

import asyncpg


async def types(conn):
    await conn.execute(
        """CREATE TABLE a_things (
            id integer PRIMARY KEY, big bigint, small smallint, ratio double precision, price numeric, name text,
            raw bytea, yes boolean, day date, moment timestamp, instant timestamptz, tag uuid)"""
    )
    row = (
        1, 2**62, -7, 0.1, decimal.Decimal("12345.67"), "Grüße", bytes(range(256)), True, datetime.date(1999, 12, 31),
        datetime.datetime(2024, 2, 29, 12, 34, 56, 789000),
        datetime.datetime(2024, 2, 29, 12, 34, 56, tzinfo=datetime.timezone.utc), uuid.UUID(int=2**127 + 5),
    )
    marks = ", ".join(f"${n}" for n in range(1, len(row) + 1))
    await conn.execute(f"INSERT INTO a_things VALUES ({marks})", *row)
    await conn.execute(f"INSERT INTO a_things VALUES ({marks})", 2, *(None,) * (len(row) - 1))
    got = await conn.fetchrow("SELECT * FROM a_things WHERE id = $1", 1)
    assert tuple(got) == row, (tuple(got), row)
    got = await conn.fetchrow("SELECT * FROM a_things WHERE id = $1", 2)
    assert tuple(got) == (2,) + (None,) * (len(row) - 1), tuple(got)


async def statements(conn):
    assert await conn.fetchval("SELECT 1") == 1
    assert await conn.fetchval("SELECT $1::int + 1", 41) == 42
    statement = await conn.prepare("SELECT name FROM a_things WHERE id = $1")
    assert [a.name for a in statement.get_attributes()] == ["name"]
    assert await statement.fetchval(1) == "Grüße"
    await conn.executemany("INSERT INTO a_things (id, big) VALUES ($1, $2)", [(n, n * n) for n in range(100, 200)])
    assert await conn.fetchval("SELECT count(*) FROM a_things WHERE id >= 100") == 100
    assert await conn.fetchval("SELECT big FROM a_things WHERE id = 150") == 22500
    assert await conn.execute("DELETE FROM a_things WHERE id >= $1", 150) == "DELETE 50"


async def transactions(conn):
    transaction = conn.transaction()
    await transaction.start()
    await conn.execute("UPDATE a_things SET name = 'gone'")
    await transaction.rollback()
    assert await conn.fetchval("SELECT name FROM a_things WHERE id = 1") == "Grüße"
    async with conn.transaction():
        count = 0
        async for record in conn.cursor("SELECT id FROM a_things ORDER BY id", prefetch=7):
            count += 1
        assert count == 52, count
    try:
        await conn.execute("INSERT INTO a_things (id) VALUES (1)")
        raise AssertionError("a second row with one key")
    except asyncpg.UniqueViolationError:
        pass
    try:
        await conn.fetch("SELECT * FROM nobody")
        raise AssertionError("a table that is not there")
    except asyncpg.UndefinedTableError:
        pass


async def copy(conn):
    await conn.execute("CREATE TABLE a_lines (n integer, line text)")
    records = [(n, f"line {n}" if n % 2 else None) for n in range(1000)]
    await conn.copy_records_to_table("a_lines", records=records)
    assert await conn.fetchval("SELECT count(line) FROM a_lines") == 500


async def pool():
    async with asyncpg.create_pool(min_size=2, max_size=4) as pool:
        # Giving a connection back to the pool resets it.
        values = await asyncio.gather(*(pool.fetchval("SELECT $1::int * 2", n) for n in range(50)))
    assert values == [n * 2 for n in range(50)]


async def main():
    conn = await asyncpg.connect()
    await types(conn)
    await statements(conn)
    await transactions(conn)
    await copy(conn)
    await conn.close()
    await pool()
    print("asyncpg works")


asyncio.run(main())
