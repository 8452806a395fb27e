"""Records what CPython 3.11's asyncore and asynchat do with scripted handlers.

Each case is a configuration, steps, and what the handler saw: one JSON object a line, in the form
that golden_test.go replays. Run it with a Python that still has the modules:

    python3.11 -W ignore record.py > recorded_traces.jsonl
"""
import asynchat, asyncore, errno, hashlib, json, os, re, select, socket, struct, sys, tempfile, time


def to_json(b):
    b = bytes(b)
    if len(b) > 120:
        return {"len": len(b), "sha256": hashlib.sha256(b).hexdigest()}
    return b.decode("latin-1")


def to_bytes(v):
    if isinstance(v, str):
        return v.encode("latin-1")
    if "rep" in v:
        return to_bytes(v["rep"]) * v["n"]
    return to_bytes(v["b"])


def terminator(v):
    return to_bytes(v) if isinstance(v, dict) else v


class Producer:
    def __init__(self, actor, rest):
        self.actor, self.rest = actor, list(rest)

    def more(self):
        if not self.rest:
            self.actor.rec("more", "")
            return b""
        v = self.rest.pop(0)
        if isinstance(v, list):
            self.actor.rec("more", "!" + v[1])
            raise getattr(__builtins__, v[1])(v[2])
        self.actor.rec("more", v)
        return to_bytes(v)


class Actor:
    """Mixed into a handler: it records each call, acts as the script says, and calls the base."""
    game, prefix = None, ""

    def rec(self, name, *args):
        self.game.events.append([self.prefix + name, *args])

    def called(self, method, args, base):
        self.rec(method, *args)
        on = self.game.config["on"]
        key = self.prefix + method
        n = self.calls.get(method, 0)
        self.calls[method] = n + 1
        if key + "*" in on:
            self.act(on[key + "*"])
        elif n < len(on.get(key, [])):
            self.act(on[key][n])
        if key not in self.game.config["over"]:
            return base()

    def handle_read(self): self.called("handle_read", [], super().handle_read)
    def handle_write(self): self.called("handle_write", [], super().handle_write)
    def handle_close(self): self.called("handle_close", [], super().handle_close)
    def handle_connect(self): self.called("handle_connect", [], super().handle_connect)
    def handle_accept(self): self.called("handle_accept", [], super().handle_accept)
    def handle_expt(self): self.called("handle_expt", [], super().handle_expt)

    def handle_accepted(self, sock, addr):
        self.accepted = sock
        self.called("handle_accepted", [type(addr).__name__], lambda: super(Actor, self).handle_accepted(sock, addr))

    def handle_error(self):
        e = sys.exc_info()[1]
        msg = errno.errorcode.get(e.errno, str(e)) if isinstance(e, OSError) else str(e)
        self.called("handle_error", [type(e).__name__, msg], super().handle_error)

    def collect_incoming_data(self, data):
        self.called("collect", [to_json(data)], lambda: self.collected.extend(data))

    def found_terminator(self):
        self.called("found_terminator", [], lambda: None)

    def close(self):
        self.rec("close")
        super().close()

    def log_info(self, message, type="info"):
        if self.game.logs:
            self.rec("log", type, message.split(" <")[0])

    def readable(self): return self.predicate("readable", super().readable)
    def writable(self): return self.predicate("writable", super().writable)

    def predicate(self, name, base):
        values = self.game.config.get(self.prefix + name)
        if values is None:
            v = base()
        else:
            n = self.calls.get(name, 0)
            self.calls[name] = n + 1
            v = values[min(n, len(values) - 1)]
            if v == "raise":
                raise RuntimeError(name + " failed")
        if self.game.config.get("show"):
            self.rec(name, bool(v))
        return v

    def act(self, actions):
        for verb, *a in actions:
            self.once(verb, a)

    def once(self, verb, a):
        if verb == "raise":
            raise (asyncore.ExitNow if a[0] == "ExitNow" else getattr(__builtins__, a[0]))(a[1])
        if verb == "raise_oserror":
            e = getattr(errno, a[0])
            raise OSError(e, os.strerror(e))
        if verb == "note": self.rec("note", *a)
        elif verb == "flags": self.rec("flags", self.connected, self.connecting, self.accepting)
        elif verb == "close": self.close()
        elif verb == "close_other": self.game.named(a[0]).close()
        elif verb == "detach": self.del_channel()
        elif verb == "shutdown_wr": self.socket.shutdown(socket.SHUT_WR)
        elif verb == "recv": self.rec("recv", to_json(self.recv(a[0])))
        elif verb == "raw_recv": self.rec("raw_recv", to_json(self.socket.recv(a[0])))
        elif verb == "sock_recv_oob": self.rec("oob", to_json(self.socket.recv(1, socket.MSG_OOB)))
        elif verb == "send": self.rec("send", self.send(to_bytes(a[0])))
        elif verb == "echo_upper":
            d = self.recv(a[0])
            self.rec("recv", to_json(d))
            if d:
                self.send(d.upper())
        elif verb == "spawn_chat": self.game.spawn_chat(self.accepted, a)
        elif verb in ("push",): self.push(to_bytes(a[0]))
        elif verb == "push_producer_bytes": self.push_with_producer(to_bytes(a[0]))
        elif verb == "reply_line":
            line, self.collected = bytes(self.collected), bytearray()
            self.push(b"<" + line + b">\r\n")
        elif verb == "set_terminator": self.set_terminator(terminator(a[0]))
        elif verb == "close_when_done": self.close_when_done()
        elif verb == "discard_buffers": self.discard_buffers()
        elif verb == "producer": self.push_with_producer(Producer(self, a[0]))
        elif verb == "simple_producer": self.push_with_producer(asynchat.simple_producer(to_bytes(a[0]), a[1]))
        elif verb == "leftover":
            self.rec("leftover", {"collected": to_json(self.collected), "ac_in_buffer": to_json(self.ac_in_buffer),
                                  "fifo": [to_json(x) if isinstance(x, bytes) else None for x in self.producer_fifo]})
        else:
            raise SystemExit("unknown action " + verb)

    def state(self):
        s = {"connected": self.connected, "connecting": self.connecting, "accepting": self.accepting,
             "in_map": self in self.game.map.values()}
        if hasattr(self, "out_buffer"):
            s["out_buffer"] = len(self.out_buffer)
        if hasattr(self, "producer_fifo"):
            t = getattr(self, "terminator", "<unset>")
            s["terminator"] = {"b": to_json(t)} if isinstance(t, bytes) else t
            s["ac_in_buffer"] = to_json(self.ac_in_buffer)
            s["fifo"] = len(self.producer_fifo)
        return s


class Plain(Actor, asyncore.dispatcher): pass
class With(Actor, asyncore.dispatcher_with_send): pass
class Chat(Actor, asynchat.async_chat): pass

KINDS = {"dispatcher": Plain, "dispatcher_with_send": With, "async_chat": Chat}


class Peer:
    def __init__(self, sock):
        self.sock, self.got, self.ended = sock, b"", None
        sock.setblocking(True)

    def read(self, limit=-1):
        start = len(self.got)
        if self.ended:
            return b""
        self.sock.setblocking(False)
        try:
            while limit:
                d = self.sock.recv(65536 if limit < 0 else limit)
                if not d:
                    self.ended = "eof"
                    break
                self.got += d
                limit = limit - len(d) if limit > 0 else limit
        except BlockingIOError:
            pass
        except ConnectionResetError:
            self.ended = "reset"
        self.sock.setblocking(True)
        return self.got[start:]


class Game:
    def __init__(self, name, config, steps):
        self.config = {"kind": config.pop("kind", "async_chat"), "transport": config.pop("transport", "unix"),
                       "poller": config.pop("poller", "select"), "on": config.pop("on", {}), "over": config.pop("over", []), **config}
        self.name, self.steps = name, steps
        self.events, self.polls, self.input, self.map = [], [], [], {}
        self.actors, self.peers, self.ln = [], [], None
        self.logs = self.config.pop("logs", False)
        self.show = self.config.get("show")

    def actor(self, kind, prefix="", sock=None):
        cls = KINDS[kind]
        a = cls.__new__(cls)
        a.game, a.prefix, a.calls, a.collected = self, prefix, {}, bytearray()
        if kind == "async_chat":
            for k in ("ac_in_buffer_size", "ac_out_buffer_size"):
                if k in self.config:
                    setattr(a, k, self.config[k])
        a.__init__(sock, map=self.map)
        if kind == "async_chat" and "terminator" in self.config:
            a.set_terminator(terminator(self.config["terminator"]))
        self.actors.append(a)
        return a

    def named(self, name):
        return next(a for a in self.actors if a.prefix == name + ".")

    def spawn_chat(self, sock, args):
        n = sum(1 for a in self.actors if a.prefix)
        name = args[0] if args else "C%d" % n
        self.actor("async_chat", name + ".", sock)

    def pair(self, transport):
        if transport == "unix":
            a, b = socket.socketpair()
        else:
            l = socket.create_server(("127.0.0.1", 0))
            b = socket.create_connection(l.getsockname())
            a, _ = l.accept()
            l.close()
        return a, b

    def run(self):
        kind, transport = self.config["kind"], self.config["transport"]
        if transport in ("unix", "tcp"):
            a, b = self.pair(transport)
            self.actor(kind, "", a)
            self.peers.append(Peer(b))
        elif transport == "multi":
            for n in self.config["names"]:
                a, b = self.pair("unix")
                self.actor(kind, n + ".", a)
                self.peers.append(Peer(b))
        elif transport in ("tcp_client", "unix_client"):
            self.actor(kind)
        elif transport == "tcp_server":
            a = self.actor(kind)
            a.create_socket()
            a.set_reuse_addr()
            a.bind(("127.0.0.1", 0))
            a.listen(5)
        for what, *args in self.steps:
            self.step(what, args)
        for p in self.peers:
            p.read()
        out = {"case": self.name, "config": {k: v for k, v in self.config.items() if k != "show"}, "steps": self.steps, "input": self.input,
               "events": self.events, "polls": self.polls,
               "sent": to_json(b"" if transport == "tcp_server" else b"".join(p.got for p in self.peers))}
        if self.peers and transport not in ("multi", "tcp_server"):
            out["peer"] = self.peers[0].ended or "open"
        states = {a.prefix[:-1]: a.state() for a in self.actors}
        out["state"] = states[""] if list(states) == [""] else states
        print(json.dumps(json.loads(json.dumps(out))))
        for a in self.actors:
            if a.socket is not None:
                a.socket.close()
        for p in self.peers:
            p.sock.close()
        if self.ln:
            self.ln.close()

    def poll(self):
        try:
            (asyncore.poll2 if self.config["poller"] == "poll" else asyncore.poll)(0.0, self.map)
        except BaseException as e:
            self.events.append(["escaped", type(e).__name__, str(e)])
        self.polls.append(len(self.events))

    def write(self, peer, sock, data):
        peer.sock.sendall(data)
        r = 0
        while r < 200:
            select.select([sock], [], [], 0.01)
            return

    def step(self, what, args):
        a = self.actors[0]
        if what == "send":
            self.input.append(args[0])
            self.write(self.peers[0], a.socket, to_bytes(args[0]))
        elif what == "send_to":
            t = self.named(args[0])
            self.write(self.peers[self.actors.index(t)], t.socket, to_bytes(args[1]))
            self.input.append(args)
        elif what == "client_send":
            self.peers[args[0]].sock.sendall(to_bytes(args[1]))
            time.sleep(0.02)
        elif what == "client_read":
            self.events.append(["client_read", args[0], to_json(self.peers[args[0]].read())])
        elif what == "peer_read":
            self.peers[0].read(*args)
        elif what == "eof":
            self.peers[0].sock.shutdown(socket.SHUT_WR)
            time.sleep(0.01)
        elif what == "peer_send_then_eof":
            self.peers[0].sock.sendall(to_bytes(args[0]))
            self.peers[0].sock.shutdown(socket.SHUT_WR)
            time.sleep(0.01)
        elif what in ("peer_close", "reset"):
            p = self.peers[0]
            p.read()
            p.ended = "closed"
            if what == "reset":
                p.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            p.sock.close()
            time.sleep(0.01)
        elif what == "oob":
            self.peers[0].sock.send(to_bytes(args[0]), socket.MSG_OOB)
            time.sleep(0.02)
        elif what == "poll":
            for _ in range(args[0] if args else 1):
                self.poll()
        elif what == "pump":
            before = None
            while before != (len(self.events), len(self.peers[0].got)):
                before = (len(self.events), len(self.peers[0].got))
                self.poll()
                self.peers[0].read(args[0])
            squeezed = []
            for e in self.events:
                if not squeezed or squeezed[-1] != e:
                    squeezed.append(e)
            self.events, self.polls = squeezed, []
        elif what == "do":
            try:
                a.act(args)
            except Exception as e:
                self.events.append(["raised", type(e).__name__, str(e)])
        elif what == "snap":
            self.events.append(["snap", a.state()])
        elif what == "event":
            getattr(a, args[0])()
        elif what == "repr":
            self.events.append(["repr", re.sub(r":\d+ at .*$", ":PORT", re.sub(r"__main__\.\w+", "__main__.Disp", repr(a)))])
        elif what == "loop":
            try:
                asyncore.loop(0.0, map=self.map, use_poll=self.config["poller"] == "poll", count=args[0] if args else None)
            except BaseException as e:
                self.events.append(["escaped", type(e).__name__, str(e)])
            self.events.append(["loop_returned", len(self.map)])
        elif what == "close_all":
            asyncore.close_all(self.map)
            self.events.append(["close_all_ok", len(self.map)])
        elif what == "connect":
            network = self.config["transport"].split("_")[0]
            if network == "tcp":
                self.ln = socket.create_server(("127.0.0.1", 0))
                a.create_socket()
                addr = self.ln.getsockname()
            else:
                addr = os.path.join(tempfile.mkdtemp(), "s")
                self.ln = socket.socket(socket.AF_UNIX)
                self.ln.bind(addr)
                self.ln.listen()
                a.create_socket(socket.AF_UNIX)
            if self.config.get("refuse"):
                self.ln.close()
                if network == "unix":
                    os.unlink(addr)
            try:
                a.connect(addr)
            except OSError as e:
                self.events.append(["raised", type(e).__name__, errno.errorcode[e.errno]])
            self.events.append(["after_connect", a.connected, a.connecting])
        elif what == "wait_writable":
            select.select([], [a.socket], [], 1)
        elif what == "accept_peer":
            self.peers.append(Peer(self.ln.accept()[0]))
            time.sleep(0.01)
        elif what == "client":
            for _ in range(args[0]):
                self.peers.append(Peer(socket.create_connection(a.socket.getsockname())))
        elif what == "client_ends":
            for p in self.peers:
                p.read()
            self.events.append(["clients", [p.ended or "open" for p in self.peers]])
        else:
            raise SystemExit("unknown step " + what)


CRLF, LF = {"b": "\r\n"}, {"b": "\n"}
W = {"kind": "dispatcher", "over": ["handle_read"], "writable": [False]}
R10 = {"handle_read*": [["recv", 10]]}
BIG = {"rep": "0123456789abcdef", "n": 65536}

CASES = [
    # input
    ("in_numeric_rearmed", dict(terminator=3, on={"found_terminator*": [["set_terminator", 2]]}), [["send", "abcdefghi"], ["poll", 2]]),
    ("in_length_prefixed", dict(terminator=LF, on={"found_terminator": [[["set_terminator", 5]], [["set_terminator", LF]], [["set_terminator", None]]]}),
     [["send", "5\nhello"], ["poll"], ["send", "7\nrest of it"], ["poll", 2]]),
    ("in_self_overlapping_terminator", dict(terminator={"b": "aaa"}), [["send", "aaaaaaa"], ["poll"], ["send", "ab"], ["poll"]]),
    ("in_terminator_none_inside_found", dict(terminator=LF, on={"found_terminator": [[["set_terminator", None]]]}), [["send", "head\nbody\nmore"], ["poll"], ["send", "x\ny"], ["poll"]]),
    ("in_small_ac_in_buffer_size", dict(terminator=LF, ac_in_buffer_size=4), [["send", "hello\nworld\n"], ["poll", 5]]),
    ("in_eof_inside_numeric", dict(terminator=10), [["send", "abc"], ["eof"], ["poll", 3]]),
    ("in_exception_in_found_swallowed", dict(terminator=LF, on={"found_terminator": [[["raise", "ValueError", "boom"]]]}, over=["handle_error"]),
     [["send", "a\nb\nc\n"], ["poll", 2], ["send", "d\n"], ["poll", 2]]),
    ("in_discard_inside_found_terminator", dict(terminator=LF, on={"found_terminator": [[["push", "gone"], ["discard_buffers"]]]}), [["send", "a\nb\nc\n"], ["poll", 2], ["send", "d\n"], ["poll"]]),
    ("in_reset_mid_data/poll", dict(terminator=LF, transport="tcp", poller="poll"), [["send", "abc"], ["reset"], ["poll", 3]]),
    ("in_line_then_eof_same_poll/poll", dict(terminator=LF, poller="poll"), [["peer_send_then_eof", "x\n"], ["poll", 3]]),
    ("in_close_when_done_inside_found", dict(terminator=LF, on={"found_terminator": [[["push", "bye\n"], ["close_when_done"]]]}), [["send", "quit\nnext\n"], ["poll", 4]]),
    # output
    ("out_push_after_close", dict(terminator=CRLF), [["do", ["close"], ["push", "late"]], ["snap"], ["poll"]]),
    ("out_push_split_by_ac_out_buffer_size", dict(terminator=CRLF, ac_out_buffer_size=4), [["do", ["push", "0123456789"]], ["snap"], ["poll", 3]]),
    ("out_reply_inside_found_terminator", dict(terminator=CRLF, on={"found_terminator*": [["reply_line"]]}), [["send", "one\r\ntwo\r\n"], ["poll", 2]]),
    ("out_close_when_done_after_request", dict(terminator=CRLF, on={"found_terminator*": [["reply_line"], ["close_when_done"]]}), [["send", "one\r\n"], ["poll", 3]]),
    ("out_close_when_done_twice", dict(terminator=CRLF), [["do", ["push", "x"], ["close_when_done"], ["close_when_done"]], ["poll", 3], ["snap"]]),
    ("out_discard_drops_close_when_done", dict(terminator=CRLF, ac_out_buffer_size=2), [["do", ["push", "0123"], ["close_when_done"], ["discard_buffers"]], ["poll", 3]]),
    ("out_producer_empty_ends_it", dict(terminator=CRLF), [["do", ["producer", ["a", "", "b"]]], ["poll", 4]]),
    ("out_producer_raises_in_write", dict(terminator=CRLF), [["do", ["producer", ["a", ["!", "ValueError", "spoiled"]]]], ["poll", 3]]),
    ("out_large_push_slow_reader_tcp", dict(terminator=CRLF, transport="tcp"), [["do", ["push", BIG], ["close_when_done"]], ["pump", 30000]]),
    ("out_half_close_large", dict(terminator=LF, on={"found_terminator": [[["push", BIG], ["close_when_done"]]]}), [["peer_send_then_eof", "GET\n"], ["pump", 65536]]),
    # dispatchers
    ("disp_reset_while_writable/poll", dict(kind="dispatcher", transport="tcp", poller="poll", on=R10, over=["handle_read", "handle_write"]), [["reset"], ["poll", 2]]),
    ("disp_close_in_read_while_writable/poll", dict(kind="dispatcher", poller="poll", on={"handle_read": [[["close"]]]}, over=["handle_read", "handle_write"]), [["send", "x"], ["poll", 2]]),
    ("disp_oserror_disconnected_in_handler/poll", dict(kind="dispatcher", poller="poll", on={"handle_read": [[["raise_oserror", "EPIPE"]]]}, over=["handle_read"], writable=[False]), [["send", "abc"], ["poll", 2]]),
    ("disp_connect_then_data/poll", dict(kind="dispatcher", transport="tcp_client", poller="poll", on=R10, over=["handle_read", "handle_write"], writable=[True, False]),
     [["connect"], ["wait_writable"], ["accept_peer"], ["send", "hi"], ["poll", 2]]),
    ("disp_connect_refused_not_readable/select", dict(kind="dispatcher", transport="tcp_client", refuse=True, readable=[False], writable=[True]), [["connect"], ["wait_writable"], ["poll", 3]]),
    ("disp_unix_connect_refused_raises", dict(kind="dispatcher", transport="unix_client", refuse=True), [["connect"], ["snap"], ["poll", 2]]),
    ("disp_exception_in_handle_connect_swallowed", dict(kind="dispatcher", transport="tcp_client", on={"handle_connect": [[["raise", "ValueError", "no"]]]}, over=["handle_read", "handle_write", "handle_error"], writable=[True, True, False]),
     [["connect"], ["wait_writable"], ["poll", 3]]),
    ("disp_accept_one_per_poll", dict(kind="dispatcher", transport="tcp_server", over=["handle_accepted"]), [["client", 3], ["poll"], ["poll"], ["poll"], ["poll"]]),
    ("disp_exception_in_accepted_kills_listener", dict(kind="dispatcher", transport="tcp_server", on={"handle_accepted": [[["raise", "ValueError", "bad client"]]]}), [["client", 1], ["poll", 2]]),
    ("disp_exception_in_accept_kills_listener", dict(kind="dispatcher", transport="tcp_server", on={"handle_accept": [[["raise", "ValueError", "bad"]]]}), [["client", 1], ["poll", 2]]),
    ("disp_eof_without_close_repeats", dict(W, on=R10, over=["handle_read", "handle_close"]), [["peer_close"], ["poll", 3]]),
    ("disp_shutdown_wr_then_read", dict(W, on=R10), [["do", ["send", "bye"], ["shutdown_wr"]], ["peer_read"], ["send", "still"], ["poll", 1], ["eof"], ["poll", 2]]),
    ("disp_shutdown_wr_in_read", dict(W, on={"handle_read": [[["recv", 10], ["send", "x"], ["shutdown_wr"]], [["recv", 10]]]}), [["send", "a"], ["poll"], ["send", "b"], ["poll", 1]]),
    ("disp_loop_ends_when_map_empty", dict(W, on=R10), [["send", "x"], ["peer_close"], ["loop"]]),
    ("disp_loop_chat_until_closed", dict(terminator=LF, on={"found_terminator*": [["reply_line"], ["close_when_done"]]}), [["send", "x\n"], ["loop"]]),
    ("disp_loop_zero", dict(W), [["loop", 0]]),
    ("disp_exitnow_ends_loop", dict(W, on={"handle_read": [[["raise", "ExitNow", "bye"]]]}), [["send", "x"], ["loop"], ["snap"]]),
    ("disp_repr_listening", dict(kind="dispatcher", transport="tcp_server"), [["repr"], ["do", ["close"]], ["repr"]]),
    ("disp_writable_toggles", dict(kind="dispatcher", over=["handle_read", "handle_write"], writable=[True, False, True, False], show=True), [["poll", 4]]),
    ("disp_with_send_large_slow_reader", dict(kind="dispatcher_with_send", over=["handle_read"]), [["do", ["send", BIG]], ["pump", 30000]]),
    ("disp_with_send_half_close", dict(kind="dispatcher_with_send", on={"handle_read*": [["echo_upper", 8192]]}, over=["handle_read"]), [["peer_send_then_eof", "abc"], ["poll", 3]]),
    ("disp_close_in_write", dict(kind="dispatcher", on={"handle_write": [[["close"]]]}, over=["handle_read", "handle_write"]), [["poll", 2]]),
    ("disp_close_in_handle_close", dict(kind="dispatcher", on={"handle_close": [[["close"], ["close"]]], **R10}, over=["handle_read", "handle_close"], writable=[False]), [["peer_close"], ["poll", 2]]),
    ("disp_send_after_peer_close", dict(W), [["peer_close"], ["do", ["send", "x"]], ["snap"], ["poll"]]),
    ("out_push_in_handle_close", dict(terminator=LF, on={"handle_close": [[["push", "bye"]]]}), [["eof"], ["poll", 2]]),
    ("disp_oob_with_data/select", dict(kind="dispatcher", transport="tcp", on={"handle_expt*": [["sock_recv_oob"]], "handle_read*": [["recv", 10]]}, over=["handle_expt", "handle_read"], writable=[False]),
     [["send", "ab"], ["oob", "!"], ["send", "cd"], ["poll", 3]]),
    # several
    ("multi_close_other_same_poll", dict(kind="dispatcher", transport="multi", names=["A", "B"], on={"A.handle_read": [[["recv", 10], ["close_other", "B"]]], "B.handle_read*": [["recv", 10]]},
        over=["A.handle_read", "B.handle_read"], **{"A.writable": [False], "B.writable": [False]}), [["send_to", "A", "x"], ["send_to", "B", "y"], ["poll", 2]]),
    ("multi_close_earlier_in_write", dict(kind="dispatcher", transport="multi", names=["A", "B"], on={"B.handle_write": [[["close_other", "A"]]]},
        over=["A.handle_write", "B.handle_write", "A.handle_read", "B.handle_read"], **{"A.writable": [True], "B.writable": [True, False]}), [["poll", 2]]),
    ("multi_line_server", dict(kind="dispatcher", transport="tcp_server", terminator=CRLF, on={"handle_accepted*": [["spawn_chat"]], "C0.found_terminator*": [["reply_line"]],
        "C1.found_terminator*": [["reply_line"], ["close_when_done"]]}, over=["handle_accepted"]),
     [["client", 2], ["poll", 3], ["client_send", 0, "hello\r\n"], ["client_send", 1, "quit\r\n"], ["poll", 3], ["client_read", 0], ["client_read", 1], ["client_ends"]]),
    ("hand_over_numeric_remaining", dict(terminator=10), [["send", "abcd"], ["poll"], ["do", ["detach"], ["leftover"]], ["snap"], ["send", "ef"], ["poll"], ["do", ["raw_recv", 10]]]),
]

if __name__ == "__main__":
    for name, config, steps in CASES:
        Game(name, json.loads(json.dumps(config)), json.loads(json.dumps(steps))).run()
