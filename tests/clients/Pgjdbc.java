import java.io.StringReader;
import java.math.BigDecimal;
import java.sql.*;
import java.time.LocalDate;
import java.util.*;

/**
 * PostgreSQL's JDBC driver against a database: what an application does with it. Ends with 0 when all of it works.
 * The connection comes from libpq's environment variables.
 */
public class Pgjdbc {
    public static void main(String[] arguments) throws Exception {
        String url = "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/"
            + System.getenv("PGDATABASE");
        Properties properties = new Properties();
        properties.setProperty("user", System.getenv("PGUSER"));
        properties.setProperty("password", System.getenv("PGPASSWORD"));
        for (String mode : List.of("extended", "extendedForPrepared", "simple")) {
            properties.setProperty("preferQueryMode", mode);
            try (Connection connection = DriverManager.getConnection(url, properties)) {
                types(connection, mode);
                statements(connection);
                transactions(connection);
                failures(connection);
                metadata(connection);
                copy(connection);
            }
        }
        System.out.println("pgjdbc works");
    }

    static void types(Connection connection, String mode) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("DROP TABLE IF EXISTS j_things");
            statement.execute("CREATE TABLE j_things (id integer PRIMARY KEY, big bigint, ratio double precision,"
                + " price numeric(12,2), name text, raw bytea, yes boolean, day date, moment timestamp)");
        }
        Timestamp moment = Timestamp.valueOf("2024-02-29 12:34:56.789");
        // In simple mode the driver has no way to write binary data.
        byte[] raw = mode.equals("simple") ? null : new byte[256];
        for (int at = 0; raw != null && at < raw.length; at++) {
            raw[at] = (byte) at;
        }
        try (PreparedStatement insert =
                 connection.prepareStatement("INSERT INTO j_things VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")) {
            for (int id = 1; id <= 8; id++) {
                insert.setInt(1, id);
                insert.setLong(2, 1L << 62);
                insert.setDouble(3, 0.1);
                insert.setBigDecimal(4, new BigDecimal("12345.67"));
                insert.setString(5, "Grüße 'quoted'");
                insert.setBytes(6, raw);
                insert.setBoolean(7, true);
                insert.setObject(8, LocalDate.of(1999, 12, 31));
                insert.setTimestamp(9, moment);
                same(1, insert.executeUpdate());
            }
        }
        // More often than the driver's threshold, after which it names its statement and asks for binary results.
        try (PreparedStatement select = connection.prepareStatement("SELECT * FROM j_things WHERE id = ?")) {
            for (int id = 1; id <= 8; id++) {
                select.setInt(1, id);
                try (ResultSet row = select.executeQuery()) {
                    same(true, row.next());
                    same(id, row.getInt("id"));
                    same(1L << 62, row.getLong("big"));
                    same(0.1, row.getDouble("ratio"));
                    same(new BigDecimal("12345.67"), row.getBigDecimal("price"));
                    same("Grüße 'quoted'", row.getString("name"));
                    same(Arrays.toString(raw), Arrays.toString(row.getBytes("raw")));
                    same(true, row.getBoolean("yes"));
                    same(LocalDate.of(1999, 12, 31), row.getObject("day", LocalDate.class));
                    same(moment, row.getTimestamp("moment"));
                    same(Types.BIGINT, row.getMetaData().getColumnType(2));
                    same(false, row.next());
                }
            }
        }
        try (PreparedStatement nothing = connection.prepareStatement("INSERT INTO j_things (id, name) VALUES (?, ?)")) {
            nothing.setInt(1, 9);
            nothing.setNull(2, Types.VARCHAR);
            same(1, nothing.executeUpdate());
        }
        try (Statement statement = connection.createStatement();
             ResultSet row = statement.executeQuery("SELECT name, big FROM j_things WHERE id = 9")) {
            same(true, row.next());
            same(null, row.getString(1));
            row.getLong(2);
            same(true, row.wasNull());
        }
    }

    static void statements(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("DROP TABLE IF EXISTS j_counts");
            statement.execute("CREATE TABLE j_counts (id serial PRIMARY KEY, n integer NOT NULL)");
            same(1, statement.executeUpdate("INSERT INTO j_counts (n) VALUES (1)", Statement.RETURN_GENERATED_KEYS));
            try (ResultSet keys = statement.getGeneratedKeys()) {
                same(true, keys.next());
                same(1, keys.getInt("id"));
            }
        }
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO j_counts (n) VALUES (?)")) {
            for (int n = 0; n < 1000; n++) {
                insert.setInt(1, n);
                insert.addBatch();
            }
            same(1000, Arrays.stream(insert.executeBatch()).map(done -> done == Statement.SUCCESS_NO_INFO ? 1 : done).sum());
        }
        connection.setAutoCommit(false);
        try (PreparedStatement walk = connection.prepareStatement("SELECT n FROM j_counts ORDER BY id")) {
            walk.setFetchSize(70);
            int count = 0;
            try (ResultSet rows = walk.executeQuery()) {
                while (rows.next()) {
                    count++;
                }
            }
            same(1001, count);
        }
        connection.commit();
        connection.setAutoCommit(true);
    }

    static void transactions(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement()) {
            statement.executeUpdate("UPDATE j_counts SET n = -1");
            connection.rollback();
            statement.executeUpdate("UPDATE j_counts SET n = 5000 WHERE n = 500");
            Savepoint savepoint = connection.setSavepoint();
            statement.executeUpdate("DELETE FROM j_counts");
            connection.rollback(savepoint);
            connection.commit();
        }
        connection.setAutoCommit(true);
        try (Statement statement = connection.createStatement();
             ResultSet row = statement.executeQuery("SELECT count(*), max(n), min(n) FROM j_counts")) {
            same(true, row.next());
            same(1001L, row.getLong(1));
            same(5000, row.getInt(2));
            same(0, row.getInt(3));
        }
    }

    static void failures(Connection connection) throws SQLException {
        Map<String, String> expected = new LinkedHashMap<>();
        expected.put("INSERT INTO j_counts (id, n) VALUES (1, 1)", "23505");
        expected.put("INSERT INTO j_counts (n) VALUES (NULL)", "23502");
        expected.put("SELECT * FROM nobody", "42P01");
        expected.put("SELECT missing FROM j_counts", "42703");
        expected.put("SELEC 1", "42601");
        for (Map.Entry<String, String> entry : expected.entrySet()) {
            try (Statement statement = connection.createStatement()) {
                statement.execute(entry.getKey());
                throw new AssertionError(entry.getKey() + " did not fail");
            } catch (SQLException error) {
                same(entry.getValue(), error.getSQLState());
            }
        }
    }

    static void metadata(Connection connection) throws SQLException {
        DatabaseMetaData metadata = connection.getMetaData();
        same("PostgreSQL", metadata.getDatabaseProductName());
        Set<String> tables = new HashSet<>();
        try (ResultSet rows = metadata.getTables(null, null, "j\\_%", new String[] {"TABLE"})) {
            while (rows.next()) {
                tables.add(rows.getString("TABLE_NAME"));
            }
        }
        same(true, tables.containsAll(Set.of("j_things", "j_counts")));
        List<String> columns = new ArrayList<>();
        try (ResultSet rows = metadata.getColumns(null, null, "j_counts", null)) {
            while (rows.next()) {
                columns.add(rows.getString("COLUMN_NAME") + " " + rows.getInt("DATA_TYPE"));
            }
        }
        same(List.of("id " + Types.INTEGER, "n " + Types.INTEGER), columns);
        try (ResultSet rows = metadata.getPrimaryKeys(null, null, "j_counts")) {
            same(true, rows.next());
            same("id", rows.getString("COLUMN_NAME"));
        }
    }

    static void copy(Connection connection) throws Exception {
        var copy = connection.unwrap(org.postgresql.PGConnection.class).getCopyAPI();
        same(3L, copy.copyIn("COPY j_counts (n) FROM STDIN", new StringReader("7001\n7002\n7003\n")));
        var out = new java.io.StringWriter();
        copy.copyOut("COPY (SELECT n FROM j_counts WHERE n > 7000 ORDER BY n) TO STDOUT", out);
        same("7001\n7002\n7003\n", out.toString());
    }

    static void same(Object expected, Object actual) {
        if (!Objects.equals(expected, actual)) {
            throw new AssertionError("expected " + expected + ", got " + actual);
        }
    }
}
