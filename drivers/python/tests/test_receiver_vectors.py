"""`receiver.json`: what a client's state becomes, step by step, and what it answers."""

import dataclasses
import json
import unittest

from stationmaster_driver import actions
from stationmaster_driver.directive import Target
from stationmaster_driver.limits import KINDS
from stationmaster_driver.policy import SUPPORTED, Policy
from stationmaster_driver.receiver import Blocked, Changed, Receiver, locate
from tests.test_vectors import load


def policy(given):
    given = dict(given or {})
    given["keys"] = {name: bytes.fromhex(key) for name, key in given.get("keys", {}).items()}
    given.setdefault("allow", [kind for kind in KINDS if kind != "rule"])
    names = given.pop("destinations", ["server"])
    return Policy(destinations={name: lambda report: None for name in names}, **given)


def target(asked):
    return Target(tuple(asked.get("servers", ())), tuple(asked.get("databases", ())))


def shown(blocked):
    return None if blocked is None else dataclasses.asdict(blocked)


class Scenario:
    def __init__(self, case):
        self.receiver = Receiver(policy(case.get("policy")), case.get("can", KINDS), case.get("seed", 0))

    def answer(self, step):
        name = next(key for key in step if key not in ("at", "answer", "session", "calendar_s"))
        return getattr(self, name)(step[name], step["at"], step)

    def receive(self, directive, at, step):
        answer, effect = self.receiver.receive(json.dumps(directive).encode(), step.get("session"), at)
        if answer is not None:
            answer = {key: value for key, value in vars(answer).items() if value is not None}
        if effect is not None:
            changed = isinstance(effect, Changed)
            effect = {"changed": effect.kind} if changed else {"once": effect.action.kind}
        return {"acknowledgement": answer, "effect": effect}

    def connect(self, asked, at, _):
        return shown(self.receiver.connect(target(asked), at)) or "go"

    def switch(self, asked, at, _):
        found = self.receiver.switch(target(asked), at)
        if found is None:
            return None
        held, switch = found
        return {"id": held.directive.id, "switch": actions.write(switch), "left_ms": held.until - at}

    def wait_or_fail(self, asked, at, _):
        return self.receiver.policy.wait_or_fail(asked["left_ms"], asked.get("deadline_ms"))

    def error(self, asked, at, _):
        given = asked["sqlstate"], asked.get("attempts", 0), asked.get("harmless", True)
        advice = self.receiver.on_error(*given, target(asked), at)
        return "fail" if advice.react == "fail" else {f"{advice.react}_after_ms": advice.after_ms}

    def permit(self, asked, at, _):
        found = self.receiver.permit(asked.get("of") != "write", target(asked), asked.get("deadline_ms"), at)
        if isinstance(found, Blocked):
            return {"refused": shown(found)}
        return {"wait_ms": found} if found else "go"

    def locate(self, asked, at, _):
        found = self.receiver.fan_out(asked["table"], at)
        if found is None:
            return "no_map"
        if found.version != asked["version"]:
            return {"other_version": found.version}
        return {"database": locate(found, asked["key"])}

    def collections(self, _, at, __):
        return [
            {"name": one.name, "left_ms": until - at, "destination": self.receiver.destination(one.name, at)}
            for one, until in self.receiver.collections(at)
        ]

    def source(self, name, at, _):
        found = self.receiver.source(name, at)
        return None if found is None else {"version": found[0], "parameters": found[1]}

    def information(self, _, at, __):
        return [one.topic for one in self.receiver.information(at)]

    def update(self, _, at, __):
        found = self.receiver.update(at)
        return None if found is None else found.version

    def routine(self, name, at, _):
        return self.receiver.routine(name, at)

    def expire(self, _, at, __):
        return [{"id": one.id, "outcome": one.outcome} for one in self.receiver.expire(at)]

    def status(self, _, at, __):
        counts = self.receiver.counts
        in_force = [
            {
                "slot": slot, "id": held.directive.id, "reason": held.directive.reason, "left_ms": held.until - at,
                "epoch": held.directive.order[0], "sequence": held.directive.order[1],
            }
            for slot, held in self.receiver.slots.all(at)
        ]
        sources = self.receiver.sources.all()
        return {**vars(counts), "refused": dict(counts.refused), "in_force": in_force, "sources": sources}


def needs(case):
    """Kinds of a scenario that this driver has not."""
    kinds = {step["receive"].get("action") for step in case["steps"] if "receive" in step}
    return kinds & (set(KINDS) - set(SUPPORTED))


class Receiving(unittest.TestCase):
    def test_r66_receivers_decide_alike(self):
        done = 0
        for case in load("receiver"):
            if needs(case):
                continue
            scenario = Scenario(case)
            for step in case["steps"]:
                with self.subTest(case["name"], step=step):
                    self.assertEqual(scenario.answer(step), step["answer"])
            done += 1
        self.assertGreaterEqual(done, 39)

    def test_r90_rules_are_off_as_the_specification_lets_them_be_and_say_so(self):
        cases = [case for case in load("receiver") if needs(case)]
        self.assertEqual({kind for case in cases for kind in needs(case)}, {"rule"})
        for case in cases:
            scenario = Scenario({**case, "can": SUPPORTED})
            for step in case["steps"]:
                if step.get("receive", {}).get("action") == "rule":
                    self.assertEqual(scenario.answer(step)["acknowledgement"]["why"], "unsupported")


if __name__ == "__main__":
    unittest.main()
