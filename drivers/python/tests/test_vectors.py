"""The vectors that every driver shares: `crates/directive/vectors`."""

import json
import unittest
from pathlib import Path

from stationmaster_driver import acknowledgement, announcement, directive
from stationmaster_driver.acknowledgement import Acknowledgement
from stationmaster_driver.announcement import Announcement
from stationmaster_driver.fields import Refusal, Why
from stationmaster_driver.limits import KINDS

VECTORS = Path(__file__).parents[3] / "crates/directive/vectors"


def load(name):
    return json.loads((VECTORS / f"{name}.json").read_text())


def data(case):
    """The bytes of a case."""
    if "hex" in case:
        found = bytes.fromhex(case["hex"])
    else:
        found = case.get("text", json.dumps(case.get("json"), ensure_ascii=False)).encode()
    return found + b" " * case.get("spaces", 0)


class Vectors(unittest.TestCase):
    def test_r89_what_is_valid_is_read_with_its_defaults_and_written_in_one_way(self):
        kinds = set()
        for case in load("valid"):
            with self.subTest(case["name"]):
                read = directive.decode(data(case))
                kinds.add(read.kind)
                self.assertEqual(directive.encode(read), case["canonical"])
                self.assertEqual(read.slot, case["slot"])
                self.assertEqual(directive.decode(case["canonical"].encode()), read)
        self.assertEqual(kinds, set(KINDS))

    def test_r65_what_is_invalid_is_refused_for_the_same_reason_everywhere(self):
        cases = load("invalid")
        self.assertGreater(len(cases), 100)
        for case in cases:
            with self.subTest(case["name"]), self.assertRaises(Refusal) as caught:
                directive.decode(data(case))
            self.assertEqual((caught.exception.why.value, caught.exception.id), (case["why"], case["id"]), case["name"])

    def test_r65_python_is_no_more_lenient_than_json(self):
        for x in ("1e400", "-1e400", "9" * 400, "NaN", "Infinity", '"\\ud800"', '"\\udc00\\ud800"', "01", "1.", "'a'"):
            text = '{"v":1,"id":"d","epoch":0,"sequence":0,"lifetime_ms":1,"action":"resume","x":%s}' % x
            with self.subTest(x), self.assertRaises(Refusal) as caught:
                directive.decode(text.encode())
            self.assertIs(caught.exception.why, Why.MALFORMED)
        for x in ("-0", "-1", "18446744073709551616", "1.0", "true", '"1"'):
            text = '{"v":1,"id":"d","epoch":%s,"sequence":0,"lifetime_ms":1,"action":"resume"}' % x
            with self.subTest(x), self.assertRaises(Refusal) as caught:
                directive.decode(text.encode())
            self.assertIs(caught.exception.why, Why.MALFORMED)

    def test_r48_a_directive_travels_as_a_notice(self):
        for case in load("postgres")["notices"]:
            self.assertEqual(case["sqlstate"], announcement.SQLSTATE)
            self.assertEqual(directive.encode(directive.decode(case["detail"].encode())), case["detail"])

    def test_s9_announcements_are_written_alike(self):
        for case in load("postgres")["announcements"]:
            if "read" in case:
                self.assertEqual(Announcement(**case["read"]).value(), case["canonical"])
        for wrong in ({"session": "short"}, {"session": "0123456789abcdef'"}, {"driver": ""}, {"location": "a b"}):
            with self.assertRaises(Refusal):
                Announcement(**wrong).value()

    def test_s9_the_announcement_stands_beside_the_applications_options(self):
        option = Announcement(can=["hold"]).option("-c work_mem=1MB")
        self.assertEqual(option, "-c work_mem=1MB -c stationmaster.directives=1;can=hold")
        for sqlstate, ours in (("00000", False), ("01000", False), ("SM002", True), ("SM", False), (None, False)):
            self.assertEqual(announcement.is_ours(sqlstate), ours)

    def test_r66_acknowledgements_are_written_alike(self):
        known = set(Acknowledgement.__dataclass_fields__)
        for case in load("postgres")["acknowledgements"]:
            if "canonical" in case:
                given = case["json"]["acknowledgements"]
                given = [{key: one[key] for key in one if key in known} for one in given]
                self.assertEqual(acknowledgement.encode([Acknowledgement(**one) for one in given]), case["canonical"])
        for wrong in ([], [Acknowledgement("d", "done")] * 17, [Acknowledgement("d", "failed", about="a\nb")]):
            with self.assertRaises(Refusal):
                acknowledgement.encode(wrong)

    def test_r94_an_acknowledgement_is_one_statement(self):
        case = load("postgres")["statements"][0]
        said = acknowledgement.statement([Acknowledgement("d-1", "failed", about="it's open")])
        self.assertEqual(said, case["canonical"])

    def test_the_codes_of_refusals_are_those_of_the_specification(self):
        text = (VECTORS.parent / "README.md").read_text()
        for why in Why:
            self.assertIn(f"`{why.value}`", text)


if __name__ == "__main__":
    unittest.main()
