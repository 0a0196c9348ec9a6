CREATE TABLE author (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    email VARCHAR(100) UNIQUE,
    born DATE,
    rating NUMERIC(5,2) DEFAULT 0,
    CHECK (rating >= 0)
);
CREATE TABLE book (
    id BIGINT PRIMARY KEY,
    author_id INTEGER NOT NULL REFERENCES author(id) ON DELETE CASCADE,
    title VARCHAR(200) NOT NULL,
    isbn CHAR(13),
    published TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP,
    data JSONB,
    price_cents INTEGER CONSTRAINT book_price_positive CHECK (price_cents > 0),
    price NUMERIC GENERATED ALWAYS AS (price_cents / 100.0) STORED,
    CONSTRAINT book_isbn_title UNIQUE (isbn, title)
);
CREATE TABLE book_tag (
    book_id BIGINT,
    tag TEXT,
    PRIMARY KEY (book_id, tag),
    CONSTRAINT book_tag_book FOREIGN KEY (book_id) REFERENCES book (id) ON DELETE CASCADE ON UPDATE SET NULL
);
CREATE TABLE note (
    book_id BIGINT,
    tag TEXT,
    body TEXT,
    FOREIGN KEY (book_id, tag) REFERENCES book_tag (book_id, tag) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX book_title_idx ON book (title DESC);
CREATE INDEX book_lower_idx ON book (lower(title)) WHERE published IS NOT NULL;
CREATE UNIQUE INDEX author_name_uq ON author (name, born);
CREATE VIEW cheap AS SELECT id, title FROM book WHERE price_cents < 1000;
