"""Prints whatever a driver is told unasked while it works: notices and warnings, a line each. The first argument is the driver.

The connection comes from libpq's environment variables; with PGOPTIONS the client announces itself, as a driver of
directives would. It works until its standard input closes.
"""

import asyncio
import os
import sys
import threading
import warnings

over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()


def tell(text):
    print(text, flush=True)


warnings.simplefilter("always")
warnings.showwarning = lambda message, *_: tell(f"warning {message}")


def with_psycopg():
    import psycopg

    conn = psycopg.connect(autocommit=True)
    conn.add_notice_handler(lambda diag: tell(f"notice {diag.sqlstate}"))
    rounds = 0
    while not over.wait(0.02):
        conn.execute("INSERT INTO unasked VALUES (%s)", ("psycopg",))
        assert conn.execute("SELECT count(*) >= 0 FROM unasked").fetchone() is not None
        with conn.transaction():
            conn.execute("DELETE FROM unasked WHERE who = 'nobody'")
        rounds += 1
    conn.close()
    return rounds


async def with_asyncpg():
    import asyncpg

    settings = {"options": os.environ["PGOPTIONS"]} if "PGOPTIONS" in os.environ else {}
    conn = await asyncpg.connect(server_settings=settings)
    conn.add_log_listener(lambda _, message: tell(f"notice {message.sqlstate}"))
    rounds = 0
    while not over.is_set():
        await conn.execute("INSERT INTO unasked VALUES ($1)", "asyncpg")
        await conn.fetchval("SELECT count(*) FROM unasked")
        await asyncio.sleep(0.02)
        rounds += 1
    await conn.close()
    return rounds


rounds = with_psycopg() if sys.argv[1] == "psycopg" else asyncio.run(with_asyncpg())
assert rounds > 0
