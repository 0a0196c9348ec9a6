"""SQLAlchemy's ORM in basic use: create the tables, insert, query, relate, update, delete, look at the schema.

Ends with 0 when all of it works. The connection comes from libpq's environment variables; the driver is psycopg 3 with
SQLAlchemy 2, psycopg 2 with 1.4.
"""

import datetime
import decimal

import sqlalchemy as sa
from sqlalchemy.orm import Session, declarative_base, relationship

driver = "psycopg" if int(sa.__version__.split(".")[0]) >= 2 else "psycopg2"
engine = sa.create_engine(f"postgresql+{driver}://", future=True)
Base = declarative_base()


class Customer(Base):
    __tablename__ = "customer"
    id = sa.Column(sa.Integer, primary_key=True)
    name = sa.Column(sa.String(50), nullable=False, unique=True)
    active = sa.Column(sa.Boolean, nullable=False, default=True)
    since = sa.Column(sa.DateTime)
    orders = relationship("Order", back_populates="customer", cascade="all, delete-orphan")


class Order(Base):
    __tablename__ = "orders"
    id = sa.Column(sa.Integer, primary_key=True)
    customer_id = sa.Column(sa.ForeignKey("customer.id"), nullable=False, index=True)
    total = sa.Column(sa.Numeric(10, 2), nullable=False)
    placed = sa.Column(sa.Date)
    customer = relationship("Customer", back_populates="orders")


Base.metadata.create_all(engine)
# A second time: nothing to do, which it finds out from the catalogs.
Base.metadata.create_all(engine)

since = datetime.datetime(2024, 5, 1, 12, 30)
with Session(engine) as session:
    ann = Customer(name="ann", since=since)
    ann.orders = [Order(total=decimal.Decimal("19.99"), placed=datetime.date(2024, 5, 2)), Order(total=5)]
    session.add_all([ann, Customer(name="bob", active=False), Customer(name="cid")])
    session.commit()
    assert ann.id is not None and all(order.customer_id == ann.id for order in ann.orders)

with Session(engine) as session:
    ann = session.execute(sa.select(Customer).where(Customer.name == "ann")).scalar_one()
    assert ann.since == since and ann.active is True
    assert sorted(order.total for order in ann.orders) == [decimal.Decimal("5.00"), decimal.Decimal("19.99")]
    statement = (
        sa.select(Customer.name, sa.func.count(Order.id), sa.func.sum(Order.total))
        .outerjoin(Order)
        .group_by(Customer.name)
        .order_by(Customer.name)
    )
    rows = session.execute(statement).all()
    assert [(name, count) for name, count, _ in rows] == [("ann", 2), ("bob", 0), ("cid", 0)], rows
    assert rows[0][2] == decimal.Decimal("24.99"), rows
    ann.name = "anna"
    session.commit()
    assert session.execute(sa.select(Customer.name).where(Customer.active.is_(True)).order_by(Customer.name)).scalars().all() == [
        "anna",
        "cid",
    ]
    assert session.execute(sa.select(Customer).order_by(Customer.id).limit(1).offset(1)).scalar_one().name == "bob"
    assert session.execute(sa.select(Customer).where(Customer.name.in_(["bob", "cid"]))).scalars().all() != []
    session.delete(session.get(Customer, ann.id))
    session.commit()
    assert session.execute(sa.select(sa.func.count()).select_from(Order)).scalar_one() == 0

with Session(engine) as session:
    session.add(Customer(name="bob"))
    try:
        session.commit()
        raise AssertionError("two customers of one name")
    except sa.exc.IntegrityError:
        session.rollback()

inspector = sa.inspect(engine)
assert set(inspector.get_table_names()) >= {"customer", "orders"}, inspector.get_table_names()
columns = {column["name"]: column for column in inspector.get_columns("customer")}
assert isinstance(columns["name"]["type"], sa.String) and not columns["name"]["nullable"], columns
assert isinstance(columns["active"]["type"], sa.Boolean), columns
assert inspector.get_pk_constraint("customer")["constrained_columns"] == ["id"]
assert inspector.get_foreign_keys("orders")[0]["referred_table"] == "customer"

Base.metadata.drop_all(engine)
assert "customer" not in sa.inspect(engine).get_table_names()
print("SQLAlchemy works")
