#!/usr/bin/env python3
"""Takes the first message out of a queue of RabbitMQ, if it is one that AMQP or crossdesk does not allow, and keeps it in a file.

    apt-get install python3-pika
    AMQP_URL=amqp://guest:guest@localhost/ python3 take-first.py crossdesk.inbound

RabbitMQ hands on what a client wrote, though a text of it be no UTF-8; crossdesk cannot read it, and its connection ends each time that
it comes (/readyz names it). So with headers that are longer than one of its frames. Whatever can be read stays where it is; --any takes it all the same.
The queues of crossdesk have a single active consumer, so that a message cannot just be fetched: this waits for its turn, which comes
with the next time that crossdesk's connection ends, or at once when crossdesk is stopped.
"""

import os
import pathlib
import sys

import pika

WAIT = 120
# Longer headers do not fit into a frame of crossdesk's (frame_max).
FRAME = 60 * 1024


def texts(value):
    """All texts of a message's properties, headers too."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield name
            yield from texts(member)
    elif isinstance(value, (list, tuple)):
        for member in value:
            yield from texts(member)
    else:
        yield value


def main():
    queue = next((argument for argument in sys.argv[1:] if not argument.startswith("--")), None)
    if queue is None:
        sys.exit("which queue? AMQP_URL=… python3 take-first.py QUEUE [--any]")
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
    channel = connection.channel()
    channel.basic_qos(prefetch_count=1)
    method, properties, body = next(channel.consume(queue, inactivity_timeout=WAIT))
    if method is None:
        sys.exit(f"nothing came from {queue} in {WAIT} s: it is empty, or somebody else takes from it without trouble")
    found = list(texts(vars(properties)))
    long = sum(len(text) for text in found if isinstance(text, (str, bytes))) > FRAME
    unreadable = long or any(isinstance(text, bytes) for text in found)
    if not unreadable and "--any" not in sys.argv:
        sys.exit("the first message can be read; it stays (--any takes it all the same)")
    kept = pathlib.Path(f"{queue}-{os.getpid()}.message")
    # For nobody else to read: a bridge's message has its key in a header.
    with os.fdopen(os.open(kept, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(repr(properties).encode() + b"\n\n" + body)
    channel.basic_reject(method.delivery_tag, requeue=False)
    connection.close()
    print(f"taken out of {queue}, and kept in {kept}")


main()
