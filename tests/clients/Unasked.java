import java.sql.*;
import java.util.Properties;

/**
 * Prints whatever PostgreSQL's JDBC driver is told unasked while it works: warnings, a line each, until standard input closes.
 * The connection comes from libpq's environment variables; with PGOPTIONS the client announces itself.
 */
public class Unasked {
    public static void main(String[] arguments) throws Exception {
        Properties properties = new Properties();
        properties.setProperty("user", System.getenv("PGUSER"));
        properties.setProperty("password", System.getenv("PGPASSWORD"));
        if (System.getenv("PGOPTIONS") != null) {
            properties.setProperty("options", System.getenv("PGOPTIONS"));
        }
        String url = "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/"
            + System.getenv("PGDATABASE");
        try (Connection connection = DriverManager.getConnection(url, properties);
             Statement statement = connection.createStatement()) {
            boolean over = false;
            while (!over) {
                over = ended();
                statement.execute("INSERT INTO unasked VALUES ('JDBC')");
                show(statement.getWarnings());
                statement.executeQuery("SELECT count(*) FROM unasked").close();
                show(statement.getWarnings());
                show(connection.getWarnings());
                connection.clearWarnings();
                Thread.sleep(20);
            }
        }
    }

    private static Thread reader;

    /** Whether standard input has closed. */
    private static boolean ended() {
        if (reader == null) {
            reader = new Thread(() -> {
                try {
                    while (System.in.read() >= 0) { }
                } catch (java.io.IOException error) {
                    // Closed as well.
                }
            });
            reader.setDaemon(true);
            reader.start();
        }
        return !reader.isAlive();
    }

    private static void show(SQLWarning warning) {
        for (; warning != null; warning = warning.getNextWarning()) {
            System.out.println("notice " + warning.getSQLState());
        }
    }
}
