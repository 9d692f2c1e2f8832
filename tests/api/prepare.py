"""What the operations need to succeed: a job in a fitting state, a server that asks, a body that means something.

Schemathesis makes anything that fits the document. Of the requests that do, a third gets a whole example, beginning
with the first, a third is led to a job that is there, and a third stays as it was made. An operation that is not in `EXAMPLES` gets a suspended job with
two files; that is enough for most. Nothing here judges an answer.
"""

import collections
import functools
import http.server
import itertools
import json
import os
import re
import ssl
import subprocess
import threading
import time
import uuid

import requests
import schemathesis

URL = os.environ["API_URL"]
FOLDER = os.path.join(os.environ["API_WORLD"], "files")
DEADLINE = 30
names = itertools.count()


# The servers that files come from.


class Files(http.server.BaseHTTPRequestHandler):
    """Every file has a kilobyte; below /locked/ a password is asked for."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        locked = self.path.startswith("/locked/")
        body = b"" if locked else bytes(1024)
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        partial = span and not locked and int(span[1]) < len(body)
        self.send_response(401 if locked else 206 if partial else 200)
        if partial:
            first, last = int(span[1]), min(int(span[2] or len(body)), len(body) - 1)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(body)}")
            body = body[first : last + 1]
        if not locked:
            self.send_header("ETag", '"zeros"')
            self.send_header("Accept-Ranges", "bytes")
        if locked:
            self.send_header("WWW-Authenticate", f'Basic realm="{self.path}"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


def serve(with_tls):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
    if with_tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca = os.path.join(os.environ["API_WORLD"], "ca")
        context.load_cert_chain(f"{ca}/server.pem", f"{ca}/server.key")
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"{'https' if with_tls else 'http'}://localhost:{server.server_port}"


@functools.cache
def files_at(with_tls=False):
    return serve(with_tls)


# What a program does with the API.


def ask(method, path, body=None):
    answer = requests.request(method, URL + path, json=body, timeout=DEADLINE)
    assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


def a_file(url=None):
    number = next(names)
    return {"remote_name": url or f"{files_at()}/{number}", "local_name": f"{FOLDER}/{number}"}


def a_job(properties=None, files=None):
    """A suspended job; its id."""
    job = ask("POST", "/v1/jobs", {"display_name": f"job {next(names)}", "properties": properties or {}})["id"]
    ask("POST", f"/v1/jobs/{job}/files", {"files": files or [a_file(), a_file()]})
    return job


def lines_of(path):
    """The lines of an event stream, which stays open as long as they are kept."""
    stream = requests.get(URL + path, stream=True, timeout=DEADLINE)
    assert stream.ok, f"{path}: {stream.status_code} {stream.text}"
    # Taken apart as bytes: of a text, U+2028 and others in the name of a job would end lines as well.
    return (line.decode() for line in stream.iter_lines(chunk_size=1))


def first_event(path, wanted, job):
    """The first event called `wanted` of a stream that is about `job`, which is resumed; the stream stays open."""
    lines = lines_of(path)
    keep_open.append(lines)
    name = None
    resumed = False
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
            if not resumed:
                ask("POST", f"/v1/jobs/{job}/resume")
                resumed = True
        if line.startswith("data: ") and name == wanted:
            event = json.loads(line.removeprefix("data: "))
            if job in event.get("jobs", [event.get("job")]):
                return event
    raise AssertionError(f"{path} ended without {wanted}")


# Enough for whoever asks next, and few enough to leave the service its connections.
keep_open = collections.deque(maxlen=4)


def a_challenge():
    """A background job that waits for a password while an agent is there to be asked."""
    job = a_job(files=[a_file(f"{files_at()}/locked/{next(names)}")])
    return first_event("/v1/challenges/events", "challenge", job)["id"]


def a_certificate():
    """A question about a certificate that waits for its answer."""
    job = a_job(files=[a_file(f"{files_at(with_tls=True)}/file")])
    return job, first_event(f"/v1/jobs/{job}/certificates/events", "certificate", job)["id"]


def imported():
    job = str(uuid.uuid4())
    body = {"id": job, "display_name": "from elsewhere", "type": "download", "state": "suspended", "files": [a_file()]}
    return {"path": {"job": job}, "body": body}


def certificate_answered():
    job, question = a_certificate()
    return {"path": {"job": job, "question": question}, "body": {"accepted": True}}


def on_demand(body):
    return lambda: {"path": {"job": a_job({"on_demand": True}), "index": 0}, "body": body}


# By operation: path, query and body of a request that succeeds. A body that is not given stays as it was made.
EXAMPLES = {
    "create_job": lambda: {"body": {"display_name": "a job"}},
    "create_jobs": lambda: {"body": {"jobs": [{"display_name": "a job"}]}},
    "change_job": lambda: {"body": {"description": "changed"}},
    "import_job": imported,
    "add_files": lambda: {"body": {"files": [a_file()]}},
    "change_file": lambda: {"body": {"remote_name": f"{files_at()}/another"}},
    "request_ranges": on_demand({"ranges": [{"offset": 0, "length": 10}]}),
    "set_download_position": on_demand({"offset": 100}),
    "filled_ranges": on_demand(None),
    "notification_heard": lambda: {"body": {"event": "transferred", "heard": True}},
    "replace_remote_prefix": lambda: {"body": {"old": files_at(), "new": f"{files_at()}/new"}},
    "set_credentials": lambda: {"path": {"scheme": "basic"}, "body": {"user": "anna", "password": "secret"}},
    "answer_challenge": lambda: {
        "path": {"challenge": a_challenge()},
        "body": {"scheme": "basic", "credentials": {"user": "anna", "password": "secret"}},
    },
    "answer_certificate": certificate_answered,
}


# Between Schemathesis and the service.

turns = collections.Counter()


@schemathesis.hook
def before_call(context, case, kwargs):
    confine(case.body)
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    name = operation_id(case)
    turns[name] += 1
    turn = turns[name] % 3
    if turn == 0:
        return
    example = EXAMPLES.get(name, dict)() if turn == 1 else {}
    lead(case.path_parameters, example.get("path", {}))
    if turn == 1:
        case.query = example.get("query", {})
        case.headers.pop("If-Match", None)
    if example.get("body") is not None:
        case.body = example["body"]


def lead(parameters, to):
    """To a job that is there, unless the example says which."""
    for name in parameters:
        if name in to:
            parameters[name] = to[name]
        elif name == "job":
            parameters[name] = a_job()
        elif name == "index":
            parameters[name] = 0


def confine(body):
    """Nothing is written but in our folder, whatever is asked for."""
    if isinstance(body, list):
        for each in body:
            confine(each)
    elif isinstance(body, dict):
        for name, value in body.items():
            if name == "local_name" and isinstance(value, str) and value.startswith("/"):
                if not value.startswith(FOLDER):
                    body[name] = FOLDER + value
            else:
                confine(value)


@schemathesis.hook
def after_call(context, case, response):
    name = operation_id(case)
    declared = case.method.upper() == case.operation.method.upper()
    if declared:
        with open(os.environ["API_COUNTS"], "a", encoding="utf-8") as counts:
            counts.write(json.dumps([name, response.status_code]) + "\n")
    if name == "stop" and response.status_code == 202:
        start_again()


def start_again():
    """As anybody's next command does."""
    end = time.monotonic() + DEADLINE
    while subprocess.run([os.environ["API_BITS"], "service", "start"], capture_output=True, check=False).returncode:
        assert time.monotonic() < end, "the service does not start again"
    keep_open.clear()


def operation_id(case):
    return case.operation.definition.raw["operationId"]
