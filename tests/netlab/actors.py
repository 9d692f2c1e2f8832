#!/usr/bin/env python3
"""What runs inside the lab's machines: one role a process, started by `run`.

    actors.py witness PORT...       each 20 ms: what this machine's connections carry
    actors.py probe ADDRESS         sends the time each 10 ms
    actors.py clock                 takes it, and says how long it was on its way
    actors.py fetch URL PAUSE       fetches again and again on new connections
    actors.py call OURS THEIRS      one side of a video call: says how long packets were on their way
    actors.py sink PORT             takes what is sent, and drops it

What is seen is written as lines of JSON, with the time of the machine's steady clock.
"""

import itertools
import json
import os
import select
import signal
import socket
import struct
import sys
import time
import urllib.parse

PROBE_PORT = 9999
CALL_PORT = 9998
# A video call of about half a megabit per second each way.
CALL_BYTES, CALL_PAUSE = 1200, 0.02
SO_TIMESTAMPNS = 35


def say(**what):
    sys.stdout.write(json.dumps(what) + "\n")


def witness(ports):
    """Asks the kernel by sock_diag; the places are those of struct tcp_info."""
    ask = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4)
    family, tcp, info_wanted, established = 2, 6, 1 << 1, 1 << 1
    body = struct.pack("=BBBBI", family, tcp, info_wanted, 0, established) + bytes(48)
    request = struct.pack("=IHHII", 16 + len(body), 20, 0x301, 1, 0) + body
    due = time.monotonic()
    while True:
        flows = []
        ask.send(request)
        at = time.monotonic()
        done = False
        while not done:
            data = ask.recv(1 << 20)
            while data:
                length, kind = struct.unpack_from("=IH", data)
                if kind in (2, 3):
                    done = True
                    break
                flows += flow(data[16:length], ports)
                data = data[(length + 3) & ~3:]
        say(at=at, flows=flows)
        due = max(due + 0.02, at)
        time.sleep(max(0, due - time.monotonic()))


def flow(message, ports):
    ours, theirs = struct.unpack_from(">HH", message, 4)
    if ours not in ports:
        return []
    peer = socket.inet_ntoa(message[24:28])
    place = 72
    while place + 4 <= len(message):
        length, kind = struct.unpack_from("=HH", message, place)
        if kind == 2 and length >= 4 + 160:
            info = message[place + 4:place + length]
            acked, received = struct.unpack_from("=QQ", info, 120)
            rtt = struct.unpack_from("=I", info, 68)[0]
            return [[ours, peer, theirs, acked, received, rtt]]
        place += max(4, (length + 3) & ~3)
    return []


def probe(address):
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    due = time.monotonic()
    while True:
        out.sendto(struct.pack("=Q", time.time_ns()), (address, PROBE_PORT))
        due = max(due + 0.01, time.monotonic())
        time.sleep(max(0, due - time.monotonic()))


def clock():
    """The kernel notes when a packet came, so it does not matter when we are woken."""
    take = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    take.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    take.bind(("0.0.0.0", PROBE_PORT))
    while True:
        data, came = taken(take, 64)
        say(at=time.monotonic(), ms=(came - struct.unpack("=Q", data[:8])[0]) / 1e6)


def taken(socket, size):
    """A packet, and when it came by the system's clock, in nanoseconds."""
    data, extra, _, _ = socket.recvmsg(size, 256)
    seconds, nanos = struct.unpack("=qq", extra[0][2][:16])
    return data, seconds * 10**9 + nanos


def call(ours, theirs):
    """Packets in both directions at the pace of a video call, numbered, so that lost ones are known."""
    line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    line.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    line.bind((ours, CALL_PORT))
    due = time.monotonic()
    for number in itertools.count():
        while (left := due - time.monotonic()) > 0:
            if select.select([line], [], [], left)[0]:
                data, came = taken(line, CALL_BYTES)
                theirs_number, at, sent = struct.unpack_from("=QdQ", data)
                say(n=theirs_number, at=at, ms=(came - sent) / 1e6)
        head = struct.pack("=QdQ", number, time.monotonic(), time.time_ns())
        try:
            line.sendto(head.ljust(CALL_BYTES, b"\0"), (theirs, CALL_PORT))
        except ConnectionRefusedError:
            pass  # The other side is not there yet.
        due = max(due + CALL_PAUSE, time.monotonic())


def fetch(url, pause):
    parts = urllib.parse.urlsplit(url)
    request = f"GET {parts.path} HTTP/1.0\r\nHost: lab\r\n\r\n".encode()
    due = time.monotonic()
    while True:
        began = time.monotonic()
        with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
            connection.sendall(request)
            while connection.recv(1 << 16):
                pass
        ended = time.monotonic()
        say(at=began, ms=(ended - began) * 1e3)
        due = max(due + float(pause), ended)
        time.sleep(max(0, due - time.monotonic()))


def sink(port):
    door = socket.socket()
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind(("0.0.0.0", port))
    door.listen()
    room = bytearray(1 << 20)
    while True:
        connection, _ = door.accept()
        if os.fork() == 0:
            while connection.recv_into(room):
                pass
            os._exit(0)
        connection.close()


def main(role, *words):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    if role in ("witness", "probe", "clock", "call"):
        # They measure: late ones would see delays that are not there.
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    match role:
        case "witness":
            witness({int(word) for word in words})
        case "probe":
            probe(*words)
        case "clock":
            clock()
        case "fetch":
            fetch(*words)
        case "call":
            call(*words)
        case "sink":
            sink(int(words[0]))


main(*sys.argv[1:])
