"""What is told from SQL's text."""

import unittest

from stationmaster_driver.sql import look


class Looking(unittest.TestCase):
    def test_s8_no_literal_is_shown(self):
        for text in (
            "SELECT 'sesame', 4711", "SELECT E'a\\'sesame' , 4711", "SELECT $$sesame$$, 4711", "SELECT $x$sesame$x$",
            "SELECT 1 -- sesame\n", "SELECT /* sesame */ 1", "SELECT 'it''s sesame", "SELECT 'a\\' , 'sesame'",
            "INSERT INTO t VALUES (4711, 'sesame'), (4711, U&'sesame')", "SELECT 'x" + "y" * 70_000 + "sesame'",
            "SET password = 'sesame'", "SELECT -4711.5e3, b'4711', x'4711'",
        ):
            shown = look(text).shown
            self.assertNotIn("sesame", shown)
            self.assertNotIn("4711", shown)
            self.assertLess(len(shown), 600)

    def test_queries_that_differ_in_literals_are_one_in_reports(self):
        self.assertEqual(look("SELECT * FROM t1 WHERE a IN (1, 2, 3)").shown, "SELECT * FROM t1 WHERE a IN (?)")
        self.assertEqual(look("SELECT %s,  %s").shown, "SELECT %s")
        self.assertEqual(look('SELECT "Name" FROM t').shown, 'SELECT "Name" FROM t')

    def test_r81_reads_are_told_from_what_may_write(self):
        for text in ("SELECT 1", "select * from t", "SHOW x", "VALUES (1)", "SELECT 'INSERT'"):
            self.assertTrue(look(text).reads, text)
        for text in ("INSERT INTO t VALUES (1)", "WITH x AS (DELETE FROM t RETURNING 1) SELECT * FROM x",
                     "SELECT * FROM t FOR UPDATE", "SELECT nextval('s')", "SELECT 1; DROP TABLE t", "CALL p()", ""):
            self.assertFalse(look(text).reads, text)

    def test_s2_only_one_whole_statement_that_commits_nothing_by_itself_is_sent_again(self):
        for text in ("SELECT 1", "INSERT INTO t VALUES (';')", "UPDATE t SET a = 1;", "/* ; */ DELETE FROM t"):
            self.assertTrue(look(text).whole, text)
        for text in ("BEGIN; INSERT INTO t VALUES (1); COMMIT; SELECT 1/0", "CALL p()", "DO $$ x $$", "VACUUM",
                     "COMMIT", "CREATE INDEX CONCURRENTLY i ON t (a)", "SELECT '" + "x" * 70_000 + "'"):
            self.assertFalse(look(text).whole, text[:50])

    def test_r75_settings_are_noticed(self):
        cases = {
            "SET work_mem = '1MB'": {"work_mem"}, "set session Search_Path to a, b": {"search_path"},
            "SET LOCAL work_mem = 1": set(), "SET TRANSACTION READ ONLY": set(), "SET TIME ZONE 'UTC'": {"timezone"},
            "SET a.b = 1; SET c = 2": {"a.b", "c"}, "RESET ALL": {"all"}, "SELECT set_config('d.e', 'x', false)": {"d.e"},
            "UPDATE t SET a = 1": set(), "SELECT 'SET x = 1'": set(), "-- x\nSET y = 1": {"y"},
        }
        for text, settings in cases.items():
            self.assertEqual(look(text).settings, settings, text)

    def test_r75_what_ties_a_session_to_its_server_is_noticed(self):
        for text in ("CREATE TEMP TABLE t (n int)", "create local temporary table t (n int)", "SELECT 1 INTO TEMP x",
                     "LISTEN x", "PREPARE p AS SELECT 1", "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
                     "SELECT pg_advisory_lock(1)", "SET SESSION AUTHORIZATION x", "SELECT set_config(%s, 'x', false)"):
            self.assertIsNotNone(look(text).pin, text)
        for text in ("CREATE TABLE temp (n int)", "PREPARE TRANSACTION 'x'", "SELECT 'LISTEN x'",
                     "SELECT pg_advisory_xact_lock(1)"):
            self.assertIsNone(look(text).pin, text)
        self.assertTrue(look("DISCARD ALL").discards)


if __name__ == "__main__":
    unittest.main()
