"""The driver against a real database, with a relay between them that sends directives.

`python -m tests.cluster` with libpq's environment variables; ends with 0 when all of it works.
"""

import asyncio
import json
import os
import threading
import time
import unittest

import psycopg

from stationmaster_driver import AsyncConnection, Connection, Driver, Held, Policy, RateLimited, Watch, deadline
from tests.relay import Relay

RULE = {
    "name": "r", "expression": "true", "react": "retry", "not_after": 4_000_000_000, "key": "ops",
    "signature": "A" * 86 + "==",
}
UPSTREAM = (os.environ.get("PGHOST", "127.0.0.1"), int(os.environ.get("PGPORT", "5432")))


class Case(unittest.TestCase):
    def setUp(self):
        self.relay = self.enterContext_(Relay(UPSTREAM))

    def enterContext_(self, context):
        given = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return given

    def connect(self, driver=None, relay=None, **more):
        more = {"autocommit": True, **more}
        connection = Connection.connect(host="127.0.0.1", port=(relay or self.relay).port, driver=driver, **more)
        self.addCleanup(connection.close)
        return connection

    def driver(self, **policy):
        return Driver(Policy(**policy))

    def heard(self, connection, id, outcome="applied", relay=None):
        """Polls until the client has said this about a directive; gives the acknowledgement."""
        relay, end = relay or self.relay, time.monotonic() + 60
        while (relay.outcome(id) or {}).get("outcome") != outcome:
            self.assertLess(time.monotonic(), end, (id, outcome, relay.acknowledgements))
            connection.poll()
            time.sleep(0.01)
        return relay.outcome(id)


class Carriers(Case):
    def test_s9_the_driver_announces_itself_and_the_application_sees_nothing_of_it(self):
        shown = []
        connection = self.connect(self.driver(location="eu-1a"), options="-c application_name=shop")
        connection.add_notice_handler(shown.append)
        announced = self.relay.sessions[0].announced
        # Everything but rules, which is what a client has that does not say what it has.
        self.assertRegex(announced, r"^1;session=[\w-]{16,64};driver=python-[\d.]+;location=eu-1a$")
        self.assertEqual(connection.execute("SHOW application_name").fetchone(), ("shop",))
        id = self.relay.say("information", {"topic": "maintenance", "text": "at noon"}, in_response=True)
        self.assertEqual(connection.execute("SELECT 1").fetchall(), [(1,)])
        self.relay.wait(lambda: self.relay.outcome(id))
        self.assertEqual(shown, [])
        self.assertEqual(self.relay.outcome(id), {"id": id, "outcome": "applied", "lifetime_ms": 60_000})

    def test_s9_who_does_not_announce_itself_is_sent_none(self):
        connection = self.connect(self.driver(announce=False))
        self.assertIsNone(self.relay.sessions[0].announced)
        self.assertEqual(connection.execute("SELECT 1").fetchone(), (1,))

    def test_r49_r74_a_directive_within_a_response_is_read_and_changes_nothing_else(self):
        driver, told = self.driver(), []
        driver.on_information(told.append)
        connection = self.connect(driver)
        given = {"topic": "t", "text": "x", "values": {"a": "b"}}
        self.relay.say("information", given, in_response=True)
        self.assertEqual(connection.execute("SELECT 1 AS n").fetchall(), [(1,)])
        self.assertEqual(dict(driver.information()["t"].values), {"a": "b"})
        self.assertEqual([one.text for one in told], ["x"])

    def test_r50_an_idle_client_hears_on_a_second_session_and_acts_once(self):
        driver = self.driver()
        self.enterContext_(Watch(host="127.0.0.1", port=self.relay.port, driver=driver))
        id = self.relay.say("information", {"topic": "t", "text": "x"})
        self.relay.wait(lambda: self.relay.outcome(id))
        self.assertIn("t", driver.information())
        busy = self.connect(driver)
        again = self.relay.say("information", {"topic": "t", "text": "x"}, id=id, in_response=True)
        busy.execute("SELECT 1")
        self.assertEqual((driver.status().applied, driver.status().repeated), (1, 1))
        self.assertEqual(again, id)

    def test_s4_a_directive_of_another_session_is_refused(self):
        driver = self.driver()
        connection = self.connect(driver)
        token, self.relay.sessions[0].token = self.relay.sessions[0].token, "captured-elsewhere-1"
        id = self.relay.say("hold")
        self.relay.sessions[0].token = token
        self.assertEqual(self.heard(connection, id, "refused")["why"], "session")
        self.assertEqual(driver.status().in_force, {})

    def test_r89_what_the_driver_has_not_and_what_the_owner_forbids_is_refused_and_acknowledged(self):
        driver = self.driver(allow=("information",))
        connection = self.connect(driver)
        forbidden = self.relay.say("rate", {"per_second": 1})
        missing = self.relay.say("rule", RULE)
        unknown = self.relay.say("teleport")
        whys = [self.heard(connection, id, "refused")["why"] for id in (forbidden, missing, unknown)]
        self.assertEqual(whys, ["not_allowed", "unsupported", "unsupported"])
        self.assertEqual(driver.status().refused, {"not_allowed": 1, "unsupported": 2})


class Holding(Case):
    def test_r70_r71_a_hold_makes_connecting_wait_or_fail_by_the_calls_deadline(self):
        driver = self.driver(wait_ms_max=100_000)
        first, before = self.connect(driver), 1
        self.heard(first, self.relay.say("hold", {"spread_ms": 0}, reason="s2 restarts"))
        with deadline(0.01), self.assertRaisesRegex(Held, "s2 restarts") as caught:
            self.connect(driver)
        self.assertGreater(caught.exception.retry_after_s, 0)
        self.assertEqual(first.execute("SELECT 1").fetchone(), (1,), "open sessions go on")
        self.assertEqual(len(self.relay.connects), before, "nothing was sent")
        found = []

        def wait():
            with deadline(100):
                found.append(self.connect(driver))

        waiting = threading.Thread(target=wait)
        waiting.start()
        self.heard(first, self.relay.say("resume", {"spread_ms": 100}))
        waiting.join(60)
        self.assertEqual((len(found), len(self.relay.connects)), (1, before + 1))

    def test_r70_a_hold_leaves_other_addresses_alone(self):
        driver = self.driver()
        first = self.connect(driver)
        other = self.enterContext_(Relay(UPSTREAM))
        self.heard(first, self.relay.say("hold", {"spread_ms": 0}, scope={"server": self.relay.address}))
        with deadline(0.01), self.assertRaises(Held):
            self.connect(driver)
        self.connect(driver, other)

    def test_r67_without_any_directive_a_lost_server_is_found_again_with_the_session_as_it_was(self):
        driver = self.driver()
        connection = self.connect(driver)
        connection.execute("SET application_name = 'before'")
        connection.execute("SELECT set_config('search_path', 'public, pg_catalog', false)")
        cursor = connection.cursor()
        for _ in range(7):  # by then psycopg has prepared it
            cursor.execute("SELECT %s::int + 1", (41,))
        self.relay.cut()
        self.assertEqual(cursor.execute("SELECT %s::int + 1", (41,)).fetchone(), (42,))
        self.assertEqual(connection.execute("SHOW application_name").fetchone(), ("before",))
        self.assertEqual(connection.execute("SHOW search_path").fetchone(), ("public, pg_catalog",))
        self.assertEqual(driver.status().counts["moves"], 1)

    def test_r67_connecting_is_tried_again(self):
        self.relay.refuse = 2
        connection = self.connect(self.driver())
        self.assertEqual(connection.execute("SELECT 1").fetchone(), (1,))
        self.assertEqual(len(self.relay.connects), 3)

    def test_s2_what_was_lost_in_a_transaction_is_told_and_not_glossed_over(self):
        connection = self.connect(self.driver(), autocommit=False)
        connection.execute("CREATE TABLE IF NOT EXISTS lost (n int)")
        connection.commit()
        connection.execute("INSERT INTO lost VALUES (1)")
        self.relay.cut()
        with self.assertRaises(psycopg.OperationalError):
            connection.execute("INSERT INTO lost VALUES (2)")
        with self.assertRaisesRegex(psycopg.OperationalError, "roll back"):
            connection.execute("INSERT INTO lost VALUES (3)")
        connection.rollback()
        self.assertEqual(connection.execute("SELECT count(*) FROM lost").fetchone(), (0,))


    def test_s2_nor_what_was_lost_with_the_first_statement(self):
        connection = self.connect(self.driver(), autocommit=False)
        connection.execute("CREATE TABLE IF NOT EXISTS lost_first (n int)")
        connection.commit()
        self.relay.cut_after = "INSERT INTO lost_first VALUES (1)"
        with self.assertRaises(psycopg.OperationalError):
            connection.execute("INSERT INTO lost_first VALUES (1)")
        with self.assertRaisesRegex(psycopg.OperationalError, "roll back"):
            connection.execute("INSERT INTO lost_first VALUES (2)")

    def test_s2_a_block_that_lost_its_session_fails_as_a_whole(self):
        connection = self.connect(self.driver())
        with self.assertRaises(psycopg.OperationalError), connection.transaction():
            self.relay.cut()
            for _ in range(2):
                with self.assertRaises(psycopg.OperationalError):
                    connection.execute("SELECT 1")
            connection.execute("SELECT 1")
        self.assertEqual(connection.execute("SELECT 1").fetchone(), (1,))

    def test_s2_a_transaction_begun_by_hand_is_not_glossed_over_either(self):
        connection = self.connect(self.driver())
        connection.execute("CREATE TABLE IF NOT EXISTS lost_by_hand (n int)")
        for begin in ("BEGIN", "BEGIN; INSERT INTO lost_by_hand VALUES (1)"):
            connection.execute(begin)
            self.relay.cut()
            for n in (2, 3):
                with self.assertRaises(psycopg.OperationalError):
                    connection.execute(f"INSERT INTO lost_by_hand VALUES ({n})")
            connection.rollback()
            self.assertEqual(connection.execute("SELECT count(*) FROM lost_by_hand").fetchone(), (0,))

    def test_s2_what_a_write_did_before_the_cut_is_not_guessed(self):
        connection = self.connect(self.driver())
        connection.execute("CREATE TABLE IF NOT EXISTS unknown (n int)")
        self.relay.cut_after = "INSERT INTO unknown"
        with self.assertRaises(psycopg.OperationalError):
            connection.execute("INSERT INTO unknown VALUES (1)")
        self.assertEqual(sum("INSERT" in query for query in self.relay.queries), 1)
        self.assertLessEqual(connection.execute("SELECT count(*) FROM unknown").fetchone()[0], 1)


class Retrying(Case):
    def setUp(self):
        super().setUp()
        self.table = self.id().rsplit(".", 1)[-1][:40]
        with self.connect(self.driver()) as connection:
            connection.execute(f"CREATE TABLE {self.table} (n int PRIMARY KEY)")

    def test_r72_a_transaction_that_was_cut_runs_again_and_once(self):
        connection, runs = self.connect(self.driver(), autocommit=False), []

        def work(conn):
            runs.append(1)
            conn.execute(f"INSERT INTO {self.table} VALUES (1)")
            if len(runs) == 1:
                self.relay.cut()
            conn.execute(f"INSERT INTO {self.table} VALUES (2)")
            return "done"

        self.assertEqual(connection.run(work), "done")
        self.assertEqual(connection.execute(f"SELECT count(*) FROM {self.table}").fetchone(), (2,))
        self.assertEqual(len(runs), 2)

    def test_s2_within_another_transaction_nothing_runs_again(self):
        connection, runs = self.connect(self.driver(), autocommit=False), []
        connection.execute(f"INSERT INTO {self.table} VALUES (1)")

        def work(conn):
            runs.append(1)
            self.relay.cut()
            conn.execute(f"INSERT INTO {self.table} VALUES (2)")

        with self.assertRaises(psycopg.OperationalError):
            connection.run(work)
        with self.assertRaisesRegex(psycopg.OperationalError, "roll back"):
            connection.execute(f"INSERT INTO {self.table} VALUES (3)")
        connection.rollback()
        self.assertEqual(connection.execute(f"SELECT count(*) FROM {self.table}").fetchone(), (0,))
        self.assertEqual(len(runs), 1)

    def test_s2_a_commit_without_an_answer_is_not_repeated(self):
        connection, runs = self.connect(self.driver(), autocommit=False), []

        def work(conn):
            runs.append(1)
            conn.execute(f"INSERT INTO {self.table} VALUES (1)")
            self.relay.cut_after = "COMMIT"

        with self.assertRaises(psycopg.OperationalError):
            connection.run(work)
        self.assertEqual(len(runs), 1)

    def test_r73_a_policy_for_a_class_of_errors_is_obeyed_and_taken_back(self):
        driver = self.driver()
        connection = self.connect(driver)
        connection.execute(f"INSERT INTO {self.table} VALUES (1)")
        insert = f"INSERT INTO {self.table} VALUES (1)"

        connection.prepare_threshold = None

        def tries():
            before = len(self.relay.queries)
            with self.assertRaises(psycopg.errors.UniqueViolation):
                connection.execute(insert)
            return len(self.relay.queries) - before

        self.assertEqual(tries(), 1, "by itself the driver repeats no such error")
        rules = [{"on": "23", "react": "retry", "attempts": 3}, {"on": "40", "react": "fail"}]
        id = self.relay.say("error_policy", {"rules": rules})
        self.heard(connection, id)
        self.assertEqual(tries(), 4)
        self.heard(connection, self.relay.say("revoke", {"directive": id}))
        self.assertEqual(tries(), 1)

    def test_r72_what_was_cut_while_it_could_only_read_is_asked_again(self):
        driver = self.driver()
        connection = self.connect(driver, autocommit=False)
        connection.read_only = True
        self.relay.cut_after = "SELECT count(*)"
        self.assertEqual(connection.execute(f"SELECT count(*) FROM {self.table}").fetchone(), (0,))
        self.assertEqual(driver.status().counts["retries"], 1)


class Pooling(Case):
    def test_r64_a_pool_gives_out_connections_that_get_over_failures(self):
        try:
            from psycopg_pool import ConnectionPool
        except ImportError:
            self.skipTest("psycopg_pool is not installed")
        driver = self.driver()
        given = {"host": "127.0.0.1", "port": self.relay.port, "driver": driver, "autocommit": True}
        with ConnectionPool(connection_class=Connection, kwargs=given, min_size=2, max_size=2) as pool:
            pool.wait(60)
            with pool.connection() as connection:
                self.assertEqual(connection.execute("SELECT 1").fetchone(), (1,))
            self.relay.cut()
            for _ in range(4):
                with pool.connection() as connection:
                    self.assertEqual(connection.execute("SELECT 1").fetchone(), (1,))
            self.assertGreaterEqual(driver.status().counts["moves"], 1)


class Switching(Case):
    def setUp(self):
        super().setUp()
        self.other = self.enterContext_(Relay(UPSTREAM))

    def switch(self, **more):
        given = {"to": {"address": self.other.address}, **more}
        return self.relay.say("switch", given, scope={"server": self.relay.address})

    def there(self):
        return sum(session.open for session in self.other.sessions)

    def test_r75_a_session_moves_between_transactions_with_its_settings(self):
        driver = self.driver(addresses=(self.other.address,))
        connection = self.connect(driver, autocommit=False)
        cursor = connection.cursor()
        cursor.execute("SET application_name = 'mover'")
        connection.commit()
        cursor.execute("SELECT 1")
        id = self.switch()
        for n in range(10):
            cursor.execute("SELECT 2")
        self.assertEqual(self.there(), 0, "not within the transaction")
        connection.commit()
        self.heard(connection, id, "done", self.other)
        self.assertEqual(cursor.execute("SHOW application_name").fetchone(), ("mover",))
        connection.commit()
        self.assertEqual(self.there(), 1)
        self.connect(driver)
        self.assertEqual(self.there(), 2, "new connections take the same way")
        self.relay.cut()
        connection.execute("SELECT 1")

    def test_r75_a_transactions_block_stays_together(self):
        driver = self.driver(addresses=("127.0.0.1",))
        connection = self.connect(driver)
        with connection.transaction():
            connection.execute("SELECT 1")
            id = self.switch()
            connection.execute("SELECT 2")
            self.assertEqual(self.there(), 0)
        self.heard(connection, id, "done", self.other)
        self.assertEqual(self.there(), 1)

    def test_r75_state_that_cannot_move_is_waited_for_or_told(self):
        driver = self.driver(addresses=(self.other.address,))
        connection = self.connect(driver)
        connection.execute("CREATE TEMP TABLE scratch (n int)")
        waits = self.switch()
        self.heard(connection, waits)
        connection.execute("SELECT 1")
        self.assertEqual((self.there(), self.relay.outcome(waits)["outcome"]), (0, "applied"))
        stays = self.switch(pinned="stay")
        self.assertEqual(self.heard(connection, stays, "failed")["about"], "tied to its server by a temporary table")
        self.assertEqual(self.there(), 0)

    def test_r75_an_address_that_does_not_work_leaves_everything_as_it_is(self):
        driver = self.driver(addresses=(self.other.address,))
        connection = self.connect(driver)
        self.other.refuse = 1000
        id = self.switch()
        self.heard(connection, id, "failed")
        self.assertEqual(connection.execute("SELECT 1").fetchone(), (1,))
        self.connect(driver)

    def test_r89_nobody_is_sent_to_an_address_that_the_owner_does_not_allow(self):
        connection = self.connect(self.driver())
        id = self.switch()
        why = self.heard(connection, id, "refused")["why"]
        self.assertEqual((why, self.there()), ("not_allowed", 0))

    def test_r75_back_to_where_the_configuration_points(self):
        driver = self.driver(addresses=(self.other.address,))
        connection = self.connect(driver)
        self.heard(connection, self.switch(), "done", self.other)
        self.heard(connection, self.other.say("switch", {"to": "handler"}, id="back", sequence=9), "done")
        self.assertIn("back", [one["id"] for one in self.relay.acknowledgements])

    def test_r83_a_flush_forgets_the_route(self):
        driver = self.driver(addresses=(self.other.address,))
        connection = self.connect(driver)
        self.heard(connection, self.switch(), "done", self.other)
        self.heard(connection, self.other.say("flush", {"keys": [self.relay.address]}, id="flush"), "done", self.other)
        before = len(self.relay.connects)
        self.connect(driver)
        self.assertEqual(len(self.relay.connects), before + 1)

    def test_r88_a_logical_name_is_taken_elsewhere_and_back(self):
        driver = self.driver(addresses=("127.0.0.1",))
        connection = self.connect(driver, source="orders")
        change = {"set": {"host": "127.0.0.1", "port": str(self.other.port)}}
        given = {"name": "orders", "version": 1, "change": change}
        self.heard(connection, self.relay.say("data_source", given))
        self.connect(driver, source="orders")
        self.connect(driver)
        self.assertEqual(self.there(), 1)
        given = {"name": "orders", "version": 2, "change": "remove"}
        self.heard(connection, self.relay.say("data_source", given))
        self.connect(driver, source="orders")
        self.assertEqual(self.there(), 1)


class Measuring(Case):
    def test_r81_a_rate_is_kept_and_lifted(self):
        driver = self.driver()
        connection = self.connect(driver)
        self.heard(connection, self.relay.say("rate", {"per_second": 20, "burst": 1}))
        began = time.monotonic()
        for _ in range(11):
            connection.execute("SELECT 1")
        self.assertGreaterEqual(time.monotonic() - began, 0.49)
        self.heard(connection, self.relay.say("rate", {"per_second": 1, "excess": "fail"}))
        with self.assertRaises(RateLimited):
            for _ in range(100):
                connection.execute("SELECT 1")
        self.heard(connection, self.relay.say("rate", {}))
        for _ in range(20):
            connection.execute("SELECT 1")

    def test_r76_r77_r79_s8_what_is_collected_arrives_without_secrets_and_stops(self):
        arrived, changed = [], threading.Condition()

        def destination(report):
            with changed:
                arrived.append(report)
                changed.notify_all()

        driver = self.driver(destinations={"collector": destination})
        connection = self.connect(driver)
        self.relay.say("upload", {"destination": "collector"})
        of = ["client", "application", "query", "errors"]
        self.heard(connection, self.relay.say("collect", {"name": "slow", "of": of, "interval_ms": 100}))
        connection.execute("SELECT 'sesame-open', 12345")
        with self.assertRaises(psycopg.Error):
            connection.execute("SELECT 'sesame-open' FROM nowhere_at_all")

        def text():
            return b"".join(arrived)

        wanted = (b"db.client.operation.duration", b"SELECT ?", b"42P01", b"process.memory.usage")
        with changed:
            found = changed.wait_for(lambda: all(one in text() for one in wanted), 60)
            self.assertTrue(found, [one for one in wanted if one not in text()])
        self.assertNotIn(b"sesame", text())
        self.assertNotIn(b"12345", text())
        json.loads(arrived[0])
        self.heard(connection, self.relay.say("stop_collecting", {"buffers": "drop"}), "done")
        self.assertEqual(driver.courier.collecting, [])

    def test_r78_what_is_for_the_server_goes_there_in_the_session_and_not_when_the_owner_forbids_it(self):
        driver = self.driver()
        connection = self.connect(driver)
        self.heard(connection, self.relay.say("upload", {"destination": "server"}))
        given = {"name": "slow", "of": ["query"], "interval_ms": 100}
        self.heard(connection, self.relay.say("collect", given))
        connection.execute("SELECT 'sesame-open'")

        def reported():
            return [one for one in self.relay.queries if one.startswith("SET stationmaster.report = '")]

        end = time.monotonic() + 60
        while not any("SELECT ?" in one for one in reported()):
            self.assertLess(time.monotonic(), end, self.relay.queries[-5:])
            connection.poll()
            time.sleep(0.01)
        self.assertNotIn("sesame", "".join(reported()))
        text = reported()[0]
        json.loads(text[text.index("'") + 1 : text.rindex("'")].replace("''", "'"))
        # In a transaction nothing of the driver's own is said.
        before = len(reported())
        with connection.transaction():
            for _ in range(3):
                connection.execute("SELECT 1")
            self.assertEqual(len(reported()), before)
        forbidding = self.connect(self.driver(destinations={}))
        id = self.relay.say("upload", {"destination": "server"})
        self.assertEqual(self.heard(forbidding, id, "refused")["why"], "not_allowed")

    def test_r78_a_destination_that_the_owner_did_not_name_is_refused(self):
        connection = self.connect(self.driver())
        id = self.relay.say("upload", {"destination": "evil.example"})
        self.assertEqual(self.heard(connection, id, "refused")["why"], "not_allowed")


class Asynchronous(Case):
    def test_r64_the_same_in_asyncio(self):
        asyncio.run(self.everything())

    async def everything(self):
        other = self.enterContext_(Relay(UPSTREAM))
        driver = self.driver(addresses=(other.address,))

        def connect():
            return AsyncConnection.connect(host="127.0.0.1", port=self.relay.port, driver=driver, autocommit=True)

        async with await connect() as connection:
            await connection.execute("SET application_name = 'async'")
            id = self.relay.say("hold", {"spread_ms": 0})
            while not self.relay.outcome(id):
                await connection.poll()
            with deadline(0.01), self.assertRaises(Held):
                await connect()
            id = self.relay.say("resume", {"spread_ms": 0})
            while not self.relay.outcome(id):
                await connection.poll()
            await (await connect()).close()
            async with connection.transaction():
                self.relay.say("switch", {"to": {"address": other.address}}, scope={"server": self.relay.address})
                for _ in range(10):
                    await connection.execute("SELECT 1")
                self.assertEqual(other.sessions, [])
            while not other.sessions:
                await connection.poll()
            cursor = await connection.execute("SHOW application_name")
            self.assertEqual(await cursor.fetchone(), ("async",))
            self.assertEqual(len(other.sessions), 1)
            other.cut()
            cursor = await connection.execute("SHOW application_name")
            self.assertEqual(await cursor.fetchone(), ("async",))
            runs = []

            async def work(conn):
                runs.append(1)
                if len(runs) == 1:
                    self.relay.cut()
                    other.cut()
                return await (await conn.execute("SELECT 7")).fetchone()

            self.assertEqual(await connection.run(work), (7,))
            found = [row async for row in connection.cursor().stream("SELECT 8")]
            self.assertEqual(found, [(8,)])


if __name__ == "__main__":
    unittest.main()
