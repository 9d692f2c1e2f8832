"""What the event streams tell, held against the document: each kind of event that it describes is caused here.

Prints how many of each have come. Exit code 1: one was not as it is described, or one never came.
"""

import collections
import json
import os
import sys

import jsonschema_rs

import prepare
from prepare import a_file, a_job, ask, files_at, lines_of

with open(os.environ["API_DOCUMENT"], encoding="utf-8") as file:
    DOCUMENT = json.load(file)
SCHEMAS = DOCUMENT["components"]["schemas"]
came = collections.Counter()


def schema_of(path):
    """What the stream at this path of the document tells, by name."""
    answer = DOCUMENT["paths"][path]["get"]["responses"]["200"]
    return answer["content"]["text/event-stream"]["schema"]["$ref"].rsplit("/", 1)[1]


def validator(schema):
    root = {"$schema": "https://json-schema.org/draft/2020-12/schema", "components": DOCUMENT["components"]}
    return jsonschema_rs.validator_for({**root, **schema})


def events(path, **names):
    """The events of a stream, each once it was found to be as described."""
    schema = schema_of(path)
    whole = validator({"$ref": f"#/components/schemas/{schema}"})
    contents = {
        way["properties"]["event"]["const"]: validator(way["properties"]["data"]["contentSchema"])
        for way in SCHEMAS[schema]["oneOf"]
    }
    event = {}
    for line in lines_of(path.format(**names)):
        if line:
            field, value = line.split(": ", 1)
            event[field] = value
            continue
        whole.validate(event)
        data = json.loads(event["data"])
        contents[event["event"]].validate(data)
        came[schema, event["event"]] += 1
        yield event["event"], data
        event = {}
    raise AssertionError(f"{path} has ended")


def until_all_came(path, react, **names):
    """Reads a stream until each of its kinds of events has come; `react` is told of each."""
    schema = schema_of(path)
    wanted = {way["properties"]["event"]["const"] for way in SCHEMAS[schema]["oneOf"]}
    for name, data in events(path, **names):
        react(name, data)
        wanted.discard(name)
        if not wanted:
            return


def jobs():
    # With what ends a line for many, and not in an event stream.
    ask("PATCH", f"/v1/jobs/{a_job()}", {"description": "one\u2028two\u0085three\x0bfour"})

    def react(name, _):
        if name == "ready":
            job = a_job({"on_demand": True, "notify_command": {"program": "/bin/true"}})
            ask("POST", f"/v1/jobs/{job}/files/0/ranges", {"ranges": [{"offset": 0, "length": 10}]})
            ask("PATCH", f"/v1/jobs/{job}", {"notify_command": {"program": ""}})
            ask("POST", f"/v1/jobs/{job}/resume")

    until_all_came("/v1/events", react)


def challenges():
    job = a_job(files=[a_file(f"{files_at()}/locked/{next(prepare.names)}")])

    def react(name, data):
        if name == "ready":
            ask("POST", f"/v1/jobs/{job}/resume")
        if name == "challenge" and job in data["jobs"]:
            ask("POST", f"/v1/jobs/{job}/cancel")

    until_all_came("/v1/challenges/events", react)


def certificates():
    job = a_job(files=[a_file(f"{files_at(with_tls=True)}/file")])

    def react(name, _):
        if name == "registered":
            ask("POST", f"/v1/jobs/{job}/resume")

    until_all_came("/v1/jobs/{job}/certificates/events", react, job=job)


def main():
    for stream in (jobs, challenges, certificates):
        stream()
    for (schema, name), count in came.items():
        print(f"{schema:<20}{name:<14}{count:>7}")
    print(f"{len(came)} kinds of events are as they are described")


sys.exit(main())
