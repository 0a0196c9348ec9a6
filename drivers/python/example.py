"""A hundred orders, written while whatever happens to the servers happens. Run it with libpq's environment variables.

Move the database, drain its server, or kill it meanwhile: the application has no line of code about that.
"""

import stationmaster_driver as stationmaster

with stationmaster.connect() as connection:
    connection.execute("CREATE TABLE IF NOT EXISTS orders (id integer PRIMARY KEY, item text)")
    connection.commit()
    for number in range(100):
        def order(connection):
            connection.execute("INSERT INTO orders VALUES (%s, %s) ON CONFLICT DO NOTHING", (number, "nail"))

        connection.run(order)
    print(connection.execute("SELECT count(*) FROM orders").fetchone()[0], "orders")
    print(connection.session.driver.status())
