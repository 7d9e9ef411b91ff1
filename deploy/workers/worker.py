#!/usr/bin/env python3
"""Executes jobs of a Bellhop queue, one at a time: BELLHOP_URL=… BELLHOP_KEY=… worker.py QUEUE COMMAND… (README.md is the guide)"""
import http.client, json, os, signal, socket, subprocess as sub, sys, time, urllib.request as web, uuid
from contextlib import suppress
headers = {"Authorization": f"Bearer {os.environ.pop('BELLHOP_KEY')}", "Content-Type": "application/json"} # the command gets no key
worker, queues = {"id": str(uuid.uuid4()), "name": "worker.py", "host": socket.gethostname()}, [{"name": sys.argv[1]}]
ends = {0: {"outcome": "succeeded"}, 75: {"outcome": "snoozed", "delay_seconds": 60}, "cancel": {"outcome": "canceled"}, "lost": None,
        "deadline": {"outcome": "failed", "error": {"code": "deadline"}}, "stop": {"outcome": "released"}, "ok": None}
url, now, directive, claim_key, job, end = os.environ["BELLHOP_URL"].rstrip("/"), time.monotonic, "run", None, None, None
def call(path, timeout, **body): # the status, the answer, and after how many seconds the service wants to be asked again
    try:
        with web.urlopen(web.Request(f"{url}/v1/jobs/{path}", json.dumps(body).encode(), headers), timeout=timeout) as answer:
            return 200, json.load(answer), 0
    except (OSError, ValueError, http.client.HTTPException) as fault:
        print(f"worker.py: {path}: {fault}", file=sys.stderr, flush=True)
        return getattr(fault, "code", 0), {}, int(getattr(fault, "headers", {}).get("Retry-After", 0))
def beat(*jobs): # what is to become of the worker, and of the job
    sent, (_, answer, _) = now(), call("heartbeat", 3, worker=worker, jobs=[{"id": job["id"], "lease": job["lease"]} for job in jobs])
    for job, told in zip(jobs, answer.get("jobs", [])):
        job["ends"] = sent + told.get("lease_seconds", job["ends"] - sent)
        return answer["directive"], "stop" if answer["directive"] == "stop" else told["status"]
    return answer.get("directive", directive), "ok"
def execute(job): # how it ended; None where that is nobody's business any more
    global directive
    output, order, due, args, environment = None, "ok", now() + 3, [json.dumps(job["args"]).encode()], {"BELLHOP_JOB_ID": job["id"]}
    child = sub.Popen(sys.argv[2:], stdin=sub.PIPE, stdout=sub.PIPE, start_new_session=True, env=os.environ | environment)
    try:
        while output is None and order == "ok" and now() < job["ends"]:
            with suppress(sub.TimeoutExpired): output, _ = child.communicate(args.pop() if args else None, 0.1)
            if output is None and now() >= due: (directive, order), due = beat(job), now() + 3
    finally: # it and all it started, after five seconds to put things in order
        for number, patience in (signal.SIGTERM, 5), (signal.SIGKILL, None):
            with suppress(ProcessLookupError, sub.TimeoutExpired): os.killpg(child.pid, number) or child.wait(patience)
    failed = {"code": f"exit_{child.returncode}", "message": f"The command ended with exit code {child.returncode}."}
    end = ends.get(order if output is None else child.returncode, {"outcome": "failed", "error": failed})
    with suppress(ValueError): # what it wrote is no JSON
        result = {"result": json.loads(output, parse_constant=int)} if end is ends[0] else {}
        return end | result if result and len(json.dumps(result)) <= 262144 else end
    return end
def finish(job, end, pause=0.2): # until it is answered or too late: duplicate is as good as accepted, lease_lost the end of it too
    status, _, wait = call("finish", 10, jobs=[{"id": job["id"], "lease": job["lease"]} | end])
    if (not status or status in (408, 429) or status >= 500) and now() < job["ends"] + 60:
        time.sleep(wait or pause) or finish(job, end, min(2 * pause, 5))
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
try:
    while directive != "stop":
        if directive == "quiet": time.sleep(3); directive, _ = beat(); continue # until it hears that it may go on
        claim_key = claim_key or str(uuid.uuid4()) # the same until there is an answer
        status, answer, wait = call("claim", 45, worker=worker, claim_key=claim_key, queues=queues, max=1, wait_seconds=30)
        if status in (400, 401, 403, 404, 422): sys.exit(1)
        time.sleep(answer.get("retry_in_seconds", wait or 1))
        claim_key, directive = (None, answer["directive"]) if answer else (claim_key, directive)
        for job in answer.get("jobs", []):
            job["ends"] = now() + job["lease_seconds"]
            if end := execute(job): finish(job, end)
        job = end = None
finally: # what it holds goes to another worker at once
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if job: finish(job, end or ends["stop"])
