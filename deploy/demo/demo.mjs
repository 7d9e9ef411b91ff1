// Sends recorded GitHub webhooks, signed as GitHub signs them, and receives what comes out of the other end.
import { createHmac, randomBytes, randomUUID, timingSafeEqual } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const base = process.env.BELLHOP_URL ?? "http://127.0.0.1:8080";
const key = process.env.BELLHOP_KEY ?? readKey(process.env.DEMO_KEY_FILE);
const load = createRequire(join(process.env.DEMO_MODULES ?? here, "x.js"));
const run = randomBytes(3).toString("hex");
const patience = 30_000;

const wanted = ["issues.opened", "issue_comment.created", "pull_request.opened", "push.", "release.published", "star.created"];
const { payloads, verifier } = materials();

const received = new Map(); // webhook-id → what the receiver made of it
let secret;
const receiver = createServer(receive);
await new Promise(resolve => receiver.listen(0, "127.0.0.1", resolve));
try {
    await demo();
} catch (error) {
    console.error(`demo: ${error.message}`);
    process.exitCode = 1;
} finally {
    receiver.close();
    receiver.closeAllConnections();
}

async function demo() {
    const githubSecret = randomBytes(20).toString("hex");
    const source = await api("POST", "/v1/sources", { name: `demo-github-${run}`, scheme: "github", secret: githubSecret });
    await api("POST", "/v1/automations", {
        name: `demo-${run}`,
        on: { type: ["github.*"] },
        if: `event.source == 'demo-github-${run}'`,
        steps: [
            { id: "who", uses: "set", with: { login: "${event.data.sender.login}", repository: "${event.data.repository.full_name}" } },
            { id: "look", uses: "job", with: { kind: "noop", args: { repository: "${steps.who.output.repository}" } } },
            {
                id: "tell",
                uses: "emit",
                with: { type: `demo.activity.${run}`, subject: "${steps.who.output.repository}", data: { what: "${event.type}", by: "${steps.who.output.login}" } },
            },
        ],
    });
    const endpoint = await api("POST", "/v1/webhook-endpoints", {
        name: `demo-${run}`,
        url: `http://127.0.0.1:${receiver.address().port}/hook`,
        event_types: [`demo.activity.${run}`],
    });
    secret = endpoint.secret;

    const sent = [];
    for (const { event, payload } of payloads) {
        const answer = await github(source.inbound_path, githubSecret, event, payload);
        sent.push({ type: payload.action ? `github.${event}.${payload.action}` : `github.${event}`, id: answer.id });
    }
    const forged = await fetch(base + source.inbound_path, signed("somebody else's secret", "star", { action: "created" }));
    expect(forged.status === 401, `a forged webhook was answered ${forged.status}, not 401`);

    await until(() => received.size >= sent.length, `${sent.length} webhooks at the receiver`);
    report(sent, await settled(sent));
}

async function settled(sent) {
    const stories = new Map();
    for (const { id } of sent) {
        await until(async () => {
            const story = await api("GET", `/v1/events/${id}/timeline`);
            stories.set(id, story.items);
            return story.items.some(item => item.kind === "delivery" && item.state === "succeeded");
        }, `the delivery for event ${id}`);
    }
    return stories;
}

function report(sent, stories) {
    const first = sent[0];
    console.log(`The story of ${first.type}, as GET /v1/events/${first.id}/timeline tells it:\n`);
    const began = Date.parse(stories.get(first.id)[0].at);
    for (const item of stories.get(first.id)) {
        const after = `+${Date.parse(item.at) - began} ms`.padStart(9);
        console.log(`${after}  ${item.kind.padEnd(8)}  ${(item.state ?? "").padEnd(9)}  ${item.name ?? ""}`);
    }
    console.log("\nWhat the receiver got:\n");
    for (const { verified, body } of received.values()) {
        console.log(`  ${verified ? "verified" : "REFUSED "}  ${body.type}  ${body.data.what}  by ${body.data.by}`);
    }
    const good = [...received.values()].filter(one => one.verified).length;
    console.log(`\n${sent.length} events in, ${stories.size} acted on, ${good} of ${received.size} webhooks verified by ${verifier.name}; 1 forged request refused.`);
    expect(good === sent.length && received.size === sent.length, "not everything arrived verified");
}

function receive(request, response) {
    const parts = [];
    request.on("data", part => parts.push(part));
    request.on("end", () => {
        const text = Buffer.concat(parts).toString("utf8");
        let verified = true;
        try {
            verifier.verify(secret, text, request.headers);
        } catch {
            verified = false;
        }
        received.set(request.headers["webhook-id"], { verified, body: JSON.parse(text) });
        response.writeHead(verified ? 204 : 401).end();
    });
}

function signed(secretText, event, payload) {
    const body = JSON.stringify(payload);
    return {
        method: "POST",
        body,
        headers: {
            "content-type": "application/json",
            "x-github-event": event,
            "x-github-delivery": randomUUID(),
            "x-hub-signature-256": "sha256=" + createHmac("sha256", secretText).update(body).digest("hex"),
        },
    };
}

async function github(path, secretText, event, payload) {
    const answer = await fetch(base + path, signed(secretText, event, payload));
    const text = await answer.text();
    expect(answer.status === 202, `${event} was answered ${answer.status}: ${text}`);
    return JSON.parse(text);
}

async function api(method, path, body) {
    let answer;
    try {
        answer = await fetch(base + path, {
            method,
            headers: { authorization: `Bearer ${key}`, ...(body && { "content-type": "application/json" }) },
            body: body && JSON.stringify(body),
        });
    } catch {
        throw new Error(`nothing answers at ${base}; start the service with ./dev up`);
    }
    const text = await answer.text();
    expect(answer.ok, `${method} ${path} was answered ${answer.status}: ${text}`);
    return JSON.parse(text);
}

function materials() {
    try {
        const examples = load("@octokit/webhooks-examples");
        const { Webhook } = load("standardwebhooks");
        return {
            payloads: wanted.map(name => pick(examples, name)),
            verifier: { name: "npm's standardwebhooks", verify: (whsec, body, headers) => new Webhook(whsec).verify(body, headers) },
        };
    } catch {
        return { payloads: JSON.parse(readFileSync(join(here, "payloads.json"), "utf8")), verifier: { name: "Node's HMAC", verify: verifyWithNode } };
    }
}

function pick(examples, name) {
    const [event, action] = name.split(".");
    const found = examples.find(one => one.name === event).examples.find(one => (one.action ?? "") === action && one.sender && one.repository);
    return { event, payload: found };
}

function verifyWithNode(whsec, body, headers) {
    const mac = createHmac("sha256", Buffer.from(whsec.slice("whsec_".length), "base64"));
    const expected = mac.update(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`).digest();
    const fits = headers["webhook-signature"].split(" ").some(one => {
        const given = Buffer.from(one.slice("v1,".length), "base64");
        return one.startsWith("v1,") && given.length === expected.length && timingSafeEqual(given, expected);
    });
    expect(fits, "no signature fits");
}

function readKey(file) {
    if (!file || !existsSync(file)) {
        console.error("demo: there is no key yet; start the service with ./dev up, or set BELLHOP_KEY");
        process.exit(1);
    }
    return readFileSync(file, "utf8").trim();
}

async function until(question, what) {
    for (const end = Date.now() + patience; !(await question()); await new Promise(resolve => setTimeout(resolve, 50))) {
        expect(Date.now() < end, `waited ${patience / 1000} s in vain for ${what}`);
    }
}

function expect(truth, otherwise) {
    if (!truth) {
        throw new Error(otherwise);
    }
}
