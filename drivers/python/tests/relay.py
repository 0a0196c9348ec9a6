"""A sender of directives between a client and any PostgreSQL server, like a gateway: it relays frames and adds notices.

Only for tests: a thread for each direction, no TLS, and every wait is bounded by the test's own.
"""

import itertools
import json
import re
import socket
import struct
import threading
import time

ANNOUNCED = re.compile(r"-c stationmaster\.directives=(\S+)")
ACKNOWLEDGES = re.compile(r"SET stationmaster\.acknowledge = '(.*)'", re.DOTALL)


class Session:
    """A client's connection, seen from the middle."""

    def __init__(self, client, server, startup):
        self.client, self.server = client, server
        self.lock = threading.Lock()
        self.announced = startup["announced"]
        self.token = dict(p.partition("=")[::2] for p in (self.announced or "").split(";")).get("session")
        self.for_response = []
        self.open = True
        self.muted = False


class Relay:
    def __init__(self, upstream):
        self.upstream = upstream
        self.sessions, self.acknowledgements, self.queries, self.connects = [], [], [], []
        self.refuse = 0  # so many connections
        self.cut_after = None  # the text of a query: it goes on to the server, its answer does not come back
        self.ids = itertools.count(1)
        self.changed = threading.Condition()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.cut()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def say(self, action, given=None, *, lifetime_ms=60_000, in_response=False, id=None, sequence=None, **more):
        """Sends a directive to everybody who announced itself; gives its id."""
        number = next(self.ids)
        id = id or f"d-{number}"
        for session in [one for one in self.sessions if one.open and one.token]:
            directive = {
                "v": 1, "id": id, "epoch": 1, "sequence": sequence or number, "lifetime_ms": lifetime_ms,
                "session": session.token, "action": action, "with": given or {}, **more,
            }
            frame = notice(json.dumps(directive))
            if in_response:
                session.for_response.append(frame)
            else:
                try:
                    with session.lock:
                        session.client.sendall(frame)
                except OSError:
                    session.open = False
        return id

    def cut(self):
        """Breaks every connection."""
        for session in self.sessions:
            session.open = False
            for end in (session.client, session.server):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def outcome(self, id):
        """The newest acknowledgement of a directive."""
        found = [one for one in self.acknowledgements if one["id"] == id]
        return found[-1] if found else None

    def wait(self, what, seconds=60):
        with self.changed:
            seen = self.changed.wait_for(what, seconds)
            assert seen, f"not in {seconds} s; {self.acknowledgements}, {self.queries[-5:]}"

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with self.changed:
                self.connects.append(time.monotonic())
                self.changed.notify_all()
            if self.refuse:
                self.refuse -= 1
                client.close()
            else:
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            body = exactly(client, struct.unpack("!I", exactly(client, 4))[0] - 4)
            while body[:4] == struct.pack("!I", 80877103) or body[:4] == struct.pack("!I", 80877104):
                client.sendall(b"N")
                body = exactly(client, struct.unpack("!I", exactly(client, 4))[0] - 4)
            server = socket.create_connection(self.upstream)
            startup, body = without_announcement(body)
            server.sendall(struct.pack("!I", len(body) + 4) + body)
            session = Session(client, server, startup)
            self.sessions.append(session)
            threading.Thread(target=self._answers, args=(session,), daemon=True).start()
            while True:
                kind, body = frame(client)
                if self._meant_for_us(session, kind, body):
                    continue
                last = self.cut_after is not None and self.cut_after.encode() in body
                session.muted = session.muted or last
                server.sendall(kind + struct.pack("!I", len(body) + 4) + body)
                if last:
                    self.cut_after = None
                    self.cut()
        except (OSError, EOFError):
            pass
        finally:
            client.close()

    def _meant_for_us(self, session, kind, body):
        text = body[:-1].decode(errors="replace") if kind == b"Q" else ""
        with self.changed:
            found = ACKNOWLEDGES.fullmatch(text)
            if found is None:
                if kind in b"QP":
                    self.queries.append(body.decode(errors="replace"))
                    self.changed.notify_all()
                return False
            self.acknowledgements += json.loads(found[1].replace("''", "'"))["acknowledgements"]
            self.changed.notify_all()
        with session.lock:
            session.client.sendall(b"C" + struct.pack("!I", 8) + b"SET\0" + b"Z" + struct.pack("!I", 5) + b"I")
        return True

    def _answers(self, session):
        try:
            while True:
                kind, body = frame(session.server)
                added = b""
                if kind == b"Z":
                    added, session.for_response = b"".join(session.for_response), []
                with session.lock:
                    if session.muted:
                        return
                    session.client.sendall(added + kind + struct.pack("!I", len(body) + 4) + body)
        except (OSError, EOFError):
            pass
        finally:
            session.open = False
            session.server.close()
            try:
                session.client.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def exactly(sock, count):
    found = b""
    while len(found) < count:
        more = sock.recv(count - len(found))
        if not more:
            raise EOFError
        found += more
    return found


def frame(sock):
    head = exactly(sock, 5)
    return head[:1], exactly(sock, struct.unpack("!I", head[1:])[0] - 4)


def notice(detail):
    fields = b"".join(
        key + text.encode() + b"\0"
        for key, text in ((b"S", "NOTICE"), (b"V", "NOTICE"), (b"C", "SM001"), (b"M", "directive"), (b"D", detail))
    )
    return b"N" + struct.pack("!I", len(fields) + 5) + fields + b"\0"


def without_announcement(body):
    """A start-up packet as a backend may be given it, and what was announced in it."""
    words = body[4:].rstrip(b"\0").split(b"\0")
    given = {words[at].decode(): words[at + 1].decode() for at in range(0, len(words), 2)}
    options = given.pop("options", "")
    found = ANNOUNCED.search(options)
    rest = ANNOUNCED.sub("", options).strip()
    if rest:
        given["options"] = rest
    packed = b"".join(key.encode() + b"\0" + text.encode() + b"\0" for key, text in given.items())
    return {"announced": found[1] if found else None}, body[:4] + packed + b"\0"
