#!/usr/bin/env python3
"""A bridge for crossdesk, to begin with: it takes shared tickets from its partner queue, keeps them in a file, and answers.

    apt-get install python3-pika
    AMQP_URL=amqp://guest:guest@localhost/ AGREEMENT=<uuid> ACCESS_KEY=<key> python3 bridge.py

What matters in it:
- A message is acknowledged after its ticket is kept and the answer is confirmed. So each comes at least once, and may come twice:
  it is known again by its message_id, and a comment by its uuid.
- The messages of one ticket come in order; one consumer, one after the other, keeps it so.
- The body says only what changed: a member that is absent is as it was.
"""

import hashlib
import json
import os
import pathlib

import pika

AGREEMENT = os.environ["AGREEMENT"]
TOKEN = AGREEMENT + ":" + os.environ["ACCESS_KEY"]
QUEUE = os.environ.get("PARTNER_QUEUE", "crossdesk.partner." + AGREEMENT)
INBOUND = os.environ.get("INBOUND_QUEUE", "crossdesk.inbound")
KEPT = pathlib.Path(os.environ.get("TICKETS", "tickets.json"))


def load():
    return json.loads(KEPT.read_text()) if KEPT.exists() else {"tickets": {}, "seen": []}


def keep(state):
    """All of it or nothing: a file that is half written would be no file."""
    fresh = KEPT.with_suffix(".new")
    with open(fresh, "w") as file:
        json.dump(state, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(KEPT)


def say(channel, kind, uuid, body):
    """Sends a message to the desk; a channel that confirms raises an exception where the broker does not take it."""
    channel.basic_publish(
        exchange="",
        routing_key=INBOUND,
        body=json.dumps(body),
        mandatory=True,
        properties=pika.BasicProperties(
            type=kind,
            content_type="application/json",
            delivery_mode=2,
            headers={"x-ticket-sharing-uuid": uuid, "x-ticket-sharing-token": TOKEN},
        ),
    )


def received(uuid, number):
    """A comment of ours: its uuid is made of what it is about, so that saying it twice says it once."""
    return {
        "uuid": hashlib.sha1(f"bridge/{uuid}/received".encode()).hexdigest(),
        "author": {"uuid": "bridge", "name": "Bridge", "role": "agent"},
        "body": f"Received here as number {number}.",
        "public": True,
    }


def take(state, channel, kind, uuid, body):
    tickets = state["tickets"]
    if kind == "agreement.invite":
        # Whoever runs the bridge has decided that already.
        say(channel, "agreement.update", uuid, {"status": "accepted"})
    elif kind == "ticket.create":
        ticket = tickets.setdefault(uuid, {"number": len(tickets) + 1, "comments": {}})
        ticket["shared"] = True  # It may have been shared before.
        change(ticket, body)
        say(channel, "ticket.update", uuid, {
            "original_id": str(ticket["number"]), "comments": [received(uuid, ticket["number"])]})
    elif kind == "ticket.update" and uuid in tickets:
        change(tickets[uuid], body)
    elif kind == "ticket.unshare" and uuid in tickets:
        tickets[uuid]["shared"] = False


def change(ticket, body):
    for name in ("subject", "status", "tags"):
        if body.get(name) is not None:
            ticket[name] = body[name]
    ticket.setdefault("custom_fields", {}).update(body.get("custom_fields") or {})
    for comment in body.get("comments") or []:
        ticket["comments"].setdefault(comment["uuid"], comment)


def main():
    state = load()
    connection = pika.BlockingConnection(pika.URLParameters(os.environ.get("AMQP_URL", "amqp://guest:guest@localhost/")))
    channel = connection.channel()
    channel.confirm_delivery()
    channel.basic_qos(prefetch_count=16)
    for method, properties, body in channel.consume(QUEUE):
        uuid = properties.headers["x-ticket-sharing-uuid"]
        if properties.message_id not in state["seen"]:
            take(state, channel, properties.type, uuid, json.loads(body or b"{}"))
            state["seen"] = (state["seen"] + [properties.message_id])[-10000:]
            keep(state)
        channel.basic_ack(method.delivery_tag)
        print(properties.type, uuid, flush=True)


if __name__ == "__main__":
    main()
