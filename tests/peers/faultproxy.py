#!/usr/bin/env python3
"""A TCP proxy with faults. Byte counts are per connection and per direction.

faultproxy.py --listen 127.0.0.1:17600 --to 127.0.0.1:17000 --drop-after 500000 --how rst
Faults act on what the server sends (--side down, default) or what the client sends (up).
"""
import argparse
import asyncio
import random
import socket
import struct


def address(text):
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--listen", type=address, required=True)
    p.add_argument("--to", type=address, required=True)
    p.add_argument("--side", choices=("down", "up", "both"), default="down")
    p.add_argument("--first", type=int, metavar="K", help="only the first K connections have the fault")
    p.add_argument("--skip", type=int, default=0, metavar="K", help="the first K connections have none")
    p.add_argument("--every", type=int, default=1, metavar="K", help="only each K-th connection has it")
    p.add_argument("--latency", type=float, default=0, metavar="S", help="delay every byte by S seconds")
    p.add_argument("--jitter", type=float, default=0, metavar="S", help="and by up to S more")
    p.add_argument("--rate", type=float, metavar="B", help="at most B bytes a second")
    at = p.add_mutually_exclusive_group()
    at.add_argument("--drop-after", type=int, metavar="N", help="end the connection after N bytes")
    p.add_argument("--how", choices=("rst", "fin"), default="rst", help="how --drop-after ends it")
    at.add_argument("--stall-after", type=int, metavar="N", help="after N bytes: silence, connection open")
    p.add_argument("--stall-for", type=float, metavar="S", help="the stall ends after S seconds")
    p.add_argument("--corrupt-at", type=int, metavar="N", help="flip all bits of byte N (from 0)")
    p.add_argument("--slow-headers", type=float, metavar="S", help="until the empty line: a byte each S seconds")
    p.add_argument("--refuse", action="store_true", help="accept, then reset at once")
    p.add_argument("--black-hole", action="store_true", help="accept, then never answer")
    return p.parse_args()


FOREVER = 10**9


class Stop(Exception):
    """The fault ends the connection."""


def reset(writer):
    sock = writer.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Flow:
    """One direction of one connection."""

    def __init__(self, reader, writer, args, active):
        self.reader, self.writer, self.args, self.active = reader, writer, args, active
        self.seen, self.headers_done, self.tripped = 0, False, False
        writer.transport.set_write_buffer_limits(0)

    async def write(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def paced(self, data):
        args = self.args
        if args.slow_headers and not self.headers_done:
            end = data.find(b"\r\n\r\n")
            self.headers_done = end >= 0
            end = end + 4 if end >= 0 else len(data)
            for i in range(end):
                await self.write(data[i : i + 1])
                await asyncio.sleep(args.slow_headers)
            data = data[end:]
        step = max(1, int(args.rate / 20)) if args.rate else max(1, len(data))
        for i in range(0, len(data), step):
            await self.write(data[i : i + step])
            if args.rate:
                await asyncio.sleep(len(data[i : i + step]) / args.rate)

    async def feed(self, data):
        args, at = self.args, self.args.corrupt_at
        if at is not None and self.seen <= at < self.seen + len(data):
            at -= self.seen
            data = data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]
        limit = args.drop_after if args.drop_after is not None else args.stall_after
        cut = len(data)
        if limit is not None and not self.tripped:
            cut = min(cut, limit - self.seen)
        await self.paced(data[:cut])
        if limit == self.seen + cut and not self.tripped:
            self.tripped = True
            if args.drop_after is not None:
                raise Stop
            await asyncio.sleep(args.stall_for or FOREVER)
            await self.paced(data[cut:])
        self.seen += len(data)

    async def run(self):
        loop, queue, args = asyncio.get_running_loop(), asyncio.Queue(256), self.args

        async def read():
            data = b"."
            while data:
                try:
                    data = await self.reader.read(65536)
                except OSError as err:
                    await queue.put((0, err))
                    return
                await queue.put((loop.time() + args.latency + random.random() * args.jitter, data))

        task = asyncio.create_task(read())
        try:
            while True:
                when, data = await queue.get()
                if isinstance(data, OSError):
                    raise data
                if self.active:
                    await asyncio.sleep(max(0, when - loop.time()))
                if not data:
                    self.writer.write_eof()
                    return
                await (self.feed(data) if self.active else self.write(data))
        finally:
            task.cancel()


async def main():
    args = arguments()
    count = 0

    async def client(reader, writer):
        nonlocal count
        number, count = count, count + 1
        number -= args.skip
        active = number >= 0 and number % args.every == 0 and (args.first is None or number < args.first)
        if active and args.refuse:
            return reset(writer)
        if active and args.black_hole:
            await asyncio.sleep(FOREVER)
        try:
            up_reader, up_writer = await asyncio.open_connection(*args.to)
        except OSError:
            return reset(writer)
        flows = [
            asyncio.create_task(Flow(up_reader, writer, args, active and args.side != "up").run()),
            asyncio.create_task(Flow(reader, up_writer, args, active and args.side != "down").run()),
        ]
        ended_by = "fin"
        try:
            await asyncio.gather(*flows)
        except Stop:
            ended_by = args.how
        except OSError:
            ended_by = "rst"
        for flow in flows:
            flow.cancel()
        await asyncio.gather(*flows, return_exceptions=True)
        reset(up_writer)
        if ended_by == "rst":
            reset(writer)
        else:
            writer.close()

    server = await asyncio.start_server(client, *args.listen)
    print("listening on %s:%d" % server.sockets[0].getsockname()[:2])
    async with server:
        await server.serve_forever()


asyncio.run(main())
