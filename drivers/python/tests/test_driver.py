"""Plans carried out with a clock of the test's own: no sockets, no threads, no waiting."""

import base64
import json
import types
import unittest

import psycopg

from stationmaster_driver import Driver, Held, Policy, RateLimited
from stationmaster_driver.directive import Target
from stationmaster_driver.steps import Sleep
from stationmaster_driver.telemetry import Collection, Observation
from stationmaster_driver.actions import Collect

TOKEN = "0123456789abcdef"


class World:
    """Time, servers and what a client did."""

    def __init__(self, seed=1, **policy):
        self.now = 1000.0
        self.driver = Driver(Policy(**policy), clock=lambda: self.now, seed=seed)
        self.tries, self.errors, self.said, self.count = [], [], [], 0

    def say(self, action, given=None, **more):
        self.count += 1
        directive = {"v": 1, "id": f"d-{self.count}", "epoch": 1, "sequence": self.count, "lifetime_ms": 5000,
                     "session": TOKEN, "action": action, "with": given or {}, **more}
        session = types.SimpleNamespace(owe=self.said.append)
        self.driver.hear(session, TOKEN, json.dumps(directive).encode())

    def carry_out(self, plan):
        try:
            step = next(plan)
            while True:
                if isinstance(step, Sleep):
                    assert step.seconds >= 0
                    self.now += step.seconds
                    step = plan.send(None)
                else:
                    try:
                        given = step.function()
                    except Exception as error:
                        step = plan.throw(error)
                    else:
                        step = plan.send(given)
        except StopIteration as end:
            return end.value

    def open(self, way):
        self.tries.append((self.now, way["host"]))
        if self.errors:
            raise psycopg.OperationalError(self.errors.pop(0))
        return "session"

    def connect(self, host="a", seconds=30.0, **given):
        plan = self.driver.connecting({"host": host, "port": "5432", **given}, self.open, self.now + seconds)
        return self.carry_out(plan)


class Connecting(unittest.TestCase):
    def test_r70_a_hold_is_waited_out_and_s6_clients_come_back_spread(self):
        moments = []
        for seed in range(1000):
            world = World(seed)
            world.say("hold", {"spread_ms": 2000})
            world.connect()
            moments.append(world.tries[0][0] - 1000)
        self.assertGreaterEqual(min(moments), 5)
        self.assertLess(max(moments), 7.1)
        # Connecting at 100 ms each: a twentieth of them; twice that would be a herd.
        self.assertLess(max(sum(at <= one < at + 0.1 for one in moments) for at in (5, 5.5, 6, 6.5)), 100)

    def test_r71_a_call_fails_at_once_when_its_deadline_or_the_owners_limit_comes_first(self):
        for policy, seconds in (({}, 3.0), ({"wait_ms_max": 3000}, 30.0)):
            world = World(**policy)
            world.say("hold", {"spread_ms": 0}, reason="s2 restarts")
            with self.assertRaises(Held) as caught:
                world.connect(seconds=seconds)
            self.assertEqual((caught.exception.reason, caught.exception.retry_after_s), ("s2 restarts", 5.0))
            self.assertEqual((world.now, world.tries), (1000.0, []))

    def test_r70_of_several_hosts_those_that_are_not_held_are_used(self):
        world = World()
        world.say("hold", {"spread_ms": 0}, scope={"server": "a:5432"})
        world.connect("a,b,c")
        self.assertEqual(world.tries, [(1000.0, "b,c")])

    def test_r67_connections_are_tried_again_with_growing_pauses_and_not_for_ever(self):
        world = World()
        world.errors = ["connection refused"] * 9
        with self.assertRaises(psycopg.OperationalError):
            world.connect()
        moments = [at for at, _ in world.tries]
        pauses = [two - one for one, two in zip(moments, moments[1:])]
        self.assertEqual(len(pauses), 3)
        for at, pause in enumerate(pauses):
            self.assertTrue(0.05 * 2**at <= pause <= 0.1 * 2**at, pauses)

    def test_r68_what_will_fail_again_fails_at_once(self):
        for message in ("FATAL:  password authentication failed", "server certificate does not match"):
            world = World()
            world.errors = [message]
            with self.assertRaises(psycopg.OperationalError):
                world.connect()
            self.assertEqual(len(world.tries), 1)

    def test_r72_a_directive_forbids_further_tries(self):
        world = World()
        world.say("retry", {"attempts": 0, "delay_ms": 0})
        world.errors = ["connection refused"]
        with self.assertRaises(psycopg.OperationalError):
            world.connect()

    def test_r75_a_route_that_does_not_work_is_forgotten(self):
        world = World(addresses=("b",))
        world.say("switch", {"to": {"address": "b:5432"}})
        world.connect()
        world.errors = ["connection refused"]
        world.connect()
        world.connect()
        self.assertEqual([host for _, host in world.tries], ["b", "b", "a", "a"])

    def test_r87_a_data_source_changes_where_a_name_leads_and_nothing_secret(self):
        world = World(addresses=("b",))
        given = {"host": "a", "password": "x"}
        world.say("data_source", {"name": "orders", "version": 1, "change": {"set": {"host": "b", "dbname": "o"}}})
        found = world.driver.parameters(given, "orders")
        self.assertEqual(found, {"host": "b", "password": "x", "dbname": "o"})
        self.assertEqual(world.driver.parameters(given, "others"), given)
        world.say("data_source", {"name": "orders", "version": 2, "change": {"set": {"sslmode": "disable"}}})
        self.assertEqual(world.said[-1].why, "forbidden")
        world.now += 5
        self.assertEqual(world.driver.parameters(given, "orders"), given)


class Sending(unittest.TestCase):
    def test_r81_operations_keep_to_a_rate(self):
        world = World()
        world.say("rate", {"per_second": 100}, lifetime_ms=60_000)
        began = world.now
        for _ in range(101):
            world.carry_out(world.driver.turn(Target(), True, world.now + 30))
        self.assertAlmostEqual(world.now - began, 1.0, delta=0.01)

    def test_r81_excess_fails_by_policy_or_deadline(self):
        for excess, seconds in (("fail", 30), ("wait", 0.5)):
            world = World()
            world.say("rate", {"per_second": 1, "excess": excess, "of": "write"})
            world.carry_out(world.driver.turn(Target(), False, world.now + seconds))
            world.carry_out(world.driver.turn(Target(), True, world.now + seconds))
            with self.assertRaises(RateLimited):
                world.carry_out(world.driver.turn(Target(), False, world.now + seconds))

    def test_s6_a_fleet_in_trouble_is_not_finished_off_by_further_tries(self):
        world = World()
        tried = sum(world.driver.advise("40001", 0, True, Target(), world.now + 30).react != "fail" for _ in range(1000))
        self.assertEqual(tried, 10)


class Doing(unittest.TestCase):
    def test_r84_r85_the_application_is_told_what_to_read_again(self):
        world, told = World(), []
        world.driver.on_refresh("prices", told.append)
        world.say("refresh", {"view": "prices", "portion": {"from": "a", "to": "c"}})
        world.say("refresh", {"view": "unknown"})
        self.assertEqual([one.portion.frm for one in told], ["a"])
        outcomes = [(one.id, one.outcome) for one in world.said]
        self.assertEqual(outcomes, [("d-1", "applied"), ("d-1", "done"), ("d-2", "applied"), ("d-2", "failed")])

    def test_r86_a_query_planned_with_another_map_is_planned_again(self):
        world = World()
        parts = [{"from": "", "database": "a"}, {"from": "m", "database": "b"}]
        world.say("fan_out", {"table": "t", "version": 3, "by": "range", "parts": parts})
        self.assertEqual([world.driver.locate("t", key, 3) for key in ("a", "m", "z")], ["a", "b", "b"])
        with self.assertRaises(LookupError):
            world.driver.locate("t", "a", 2)

    def test_r82_an_update_is_advice_of_those_whose_key_the_owner_trusts(self):
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        secret = Ed25519PrivateKey.generate()
        world = World(keys={"release": secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)})
        said = {"version": "9.1", "urgency": "required", "sha256": "ab" * 32}
        signed = secret.sign("\n".join(("stationmaster update 1", *said.values())).encode())
        given = {**said, "key": "release", "signature": base64.b64encode(signed).decode()}
        self.assertIsNone(world.driver.update())
        world.say("update", given)
        self.assertEqual(world.driver.update().version, "9.1")
        for wrong in ({"version": "9.2"}, {"key": "stranger"}, {"urgency": "available"}):
            world.say("update", given | wrong)
            self.assertEqual(world.said[-1].why, "signature")
        self.assertEqual(world.driver.update().version, "9.1")

    def test_r91_routines_are_switched_by_name(self):
        world = World(routines=("verbose",))
        world.say("activate", {"routine": "verbose", "parameters": {"level": "2"}})
        self.assertEqual(world.driver.routine("verbose"), {"level": "2"})
        world.say("deactivate", {"routine": "verbose"})
        self.assertIsNone(world.driver.routine("verbose"))
        world.say("activate", {"routine": "other"})
        self.assertEqual(world.said[-1].why, "unknown")

    def test_r66_status_tells_what_is_in_force_and_what_was_refused(self):
        world = World()
        world.say("hold", {"spread_ms": 0}, reason="why")
        world.say("upload", {"destination": "nowhere"})
        status = world.driver.status()
        self.assertEqual(status.in_force["hold@/"].reason, "why")
        self.assertEqual((status.left_s["hold@/"], status.applied, status.refused), (5.0, 1, {"not_allowed": 1}))
        world.now += 5
        self.assertEqual([one.outcome for one in world.driver.expired()], ["expired"])
        self.assertEqual(world.driver.status().in_force, {})

    def test_r65_nothing_that_is_sent_breaks_the_reader(self):
        world = World()
        session = types.SimpleNamespace(owe=lambda answer: None)
        valid = b'{"v":1,"id":"x","epoch":1,"sequence":1,"lifetime_ms":1,"action":"hold","with":{"spread_ms":1}}'
        for at in range(len(valid)):
            for byte in (0, 0x22, 0x5B, 0x7B, 0x39, 0xFF, 0xC3):
                world.driver.hear(session, None, valid[:at] + bytes([byte]) + valid[at + 1 :])
                world.driver.hear(session, None, valid[:at] + bytes([byte]) + valid[at:])
            world.driver.hear(session, None, valid[:at])
        self.assertGreater(world.driver.status().refused["malformed"], 100)


class Measuring(unittest.TestCase):
    def report(self, count, **given):
        collect = Collect("c", given.pop("of", ("query", "application")), 1000, given.pop("bytes_max", 65536), 1000)
        collection = Collection(collect, 0.0, 0.0, 60.0)
        for at in range(count):
            collection.add(Observation(f"SELECT {'x' * 100}{at}", 0.004 * (at + 1), rows=2, **given), _Chance())
        collection.report({"process.memory.usage": 1.0}, {}, 1.0, 1.0)
        return collection

    def test_r76_r77_reports_have_what_was_asked_for_and_no_more(self):
        text = self.report(1, of=("errors",), error="reset").waiting[0].decode()
        self.assertIn('"reset"', text)
        for missing in ("SELECT", "duration", "process."):
            self.assertNotIn(missing, text)
        self.assertIn("process.memory.usage", self.report(1, of=("client",)).waiting[0].decode())

    def test_r78_reports_are_bounded(self):
        report = self.report(300, bytes_max=20_000).waiting[0]
        self.assertLessEqual(len(report), 20_000)
        self.assertIn(b"x255", report, "the slowest of those that fit the memory are kept")
        self.assertEqual(self.report(3, bytes_max=256).dropped, 1)
        collection = self.report(1)
        for at in range(50):
            collection.report({}, {}, at, at)
        self.assertEqual((len(collection.waiting), collection.dropped), (8, 43))


class _Chance:
    def random(self):
        return 0.0


if __name__ == "__main__":
    unittest.main()
