"""A client that asks something again and again until its standard input ends, for tests that have it measured.

`python -m tests.reporting` with libpq's environment variables.
"""

import sys
import threading

from stationmaster_driver import connect

over = threading.Event()


def read():
    sys.stdin.read()
    over.set()


threading.Thread(target=read, daemon=True).start()
with connect("application_name=python-till", autocommit=True) as connection:
    while not over.wait(0.05):
        connection.execute("SELECT 'sesame-open'")
