// Makes the Postman collection from the document: node postman.mjs DOCUMENT > COLLECTION. The same document makes the same bytes.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { promisify } from "node:util";

const converter = createRequire(import.meta.url)("openapi-to-postmanv2"); // found through NODE_PATH
const document = JSON.parse(readFileSync(process.argv[2], "utf8"));

const options = { folderStrategy: "Tags", requestNameSource: "Fallback", parametersResolution: "Example" };
const data = structuredClone(document);
// a stream that never ends, of itself or because its client has seen the end, would keep a run from ending too
for (const path of Object.values(data.paths)) {
    const answers = path.get?.responses;
    if (answers?.["200"]?.content?.["text/event-stream"] && !answers["204"]) {
        delete path.get;
    }
}

const converted = await promisify(converter.convertV2.bind(converter))({ type: "json", data }, options);
if (!converted.result) {
    throw new Error(converted.reason);
}

const { info, item } = converted.output[0].data;
// what makes something first, what takes it away last
const methods = ["POST", "PUT", "GET", "PATCH", "DELETE"];
item.forEach((folder) => folder.item.sort((one, other) => methods.indexOf(one.request.method) - methods.indexOf(other.request.method)));
walk(item);
const collection = {
    info: {
        name: "Bellhop",
        description: "Made from the OpenAPI document. Set baseUrl, bearerToken to an API key, and receiver to a URL that takes webhooks.",
        schema: info.schema,
    },
    auth: { type: "bearer", bearer: [{ key: "token", value: "{{bearerToken}}" }] },
    variable: [
        { key: "baseUrl", value: "http://127.0.0.1:8080" },
        { key: "receiver", value: "http://127.0.0.1:9099/" },
    ],
    event: [{ listen: "test", script: { type: "text/javascript", exec: `(${check})();`.split("\n") } }],
    item,
};
process.stdout.write(`${JSON.stringify(collection, null, 2)}\n`);

// ids are made anew at each conversion: here the place of a thing is its id
function walk(items, place = "") {
    for (const item of items) {
        const own = `${place}/${item.name}`;
        item.id = idOf(own);
        walk(item.item ?? [], own);
        if (!item.request) {
            continue;
        }

        item.request.auth = item.request.auth ? undefined : { type: "noauth" }; // else the collection's
        delete item.response;
        // what may be left out is left out, or every request would carry conditions that do not hold
        for (const part of [item.request.header, item.request.url.query]) {
            part?.forEach((one) => (one.disabled = !["Content-Type", "Accept"].includes(one.key)));
        }

        if (item.request.body?.raw) {
            item.request.body.raw = bodyOf(item.request);
        }
    }
}

// the example itself, since the converter takes one that has a member named value for what wraps it
function bodyOf({ method, url, header }) {
    const path = `/${url.path.map((step) => step.replace(/^:(.*)/, "{$1}")).join("/")}`;
    const type = header.find((one) => one.key === "Content-Type").value;
    const { example } = document.paths[path][method.toLowerCase()].requestBody.content[type];
    const text = typeof example === "string" ? example : JSON.stringify(example, null, 2);
    return text.replace(/https:\/\/crm\.example\.com[^"]*/g, "{{receiver}}"); // the endpoint of the examples is nobody's
}

function idOf(text) {
    return createHash("sha256").update(text).digest("hex").slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

// runs in Postman after each request: the answer is one of those that the service's document tells of
function check() {
    const known = pm.variables.get("document");
    if (known) {
        compare(JSON.parse(known));
    } else {
        pm.sendRequest(`${pm.variables.get("baseUrl")}/openapi.json`, (error, told) => {
            pm.test("there is a document", () => pm.expect(error).to.equal(null));
            pm.variables.set("document", told.text()); // until the end of the run
            compare(told.json());
        });
    }

    function compare(document) {
        const operation = find(document.paths);
        const answer = operation && operation.responses[pm.response.code];
        pm.test("the status is one the document tells of", () => {
            pm.expect(operation).to.be.an("object");
            pm.expect(Object.keys(operation.responses)).to.include(String(pm.response.code));
            pm.expect(pm.response.code).to.be.below(500).and.not.equal(429);
        });
        pm.test("the body is as the document says", () => {
            pm.expect(answer).to.be.an("object");
            if (!answer.content) {
                pm.expect(pm.response.text()).to.equal("");
                return;
            }

            const type = (pm.response.headers.get("Content-Type") || "").split(";")[0];
            pm.expect(Object.keys(answer.content)).to.include(type);
            if (type !== "text/event-stream") {
                const Ajv = require("ajv");
                const ajv = new Ajv({ unknownFormats: "ignore" });
                const whole = { allOf: [answer.content[type].schema], components: document.components };
                pm.expect(ajv.validate(whole, pm.response.json()), JSON.stringify(ajv.errors)).to.equal(true);
            }
        });
    }

    // the template with the fewest parameters that the path fits
    function find(paths) {
        const path = pm.request.url.getPath();
        const templates = Object.keys(paths)
            .filter((template) => paths[template][pm.request.method.toLowerCase()])
            .filter((template) => new RegExp(`^${template.replace(/\{[^}]*\}/g, "[^/]+")}$`).test(path))
            .sort((one, other) => one.split("{").length - other.split("{").length);
        return templates.length > 0 ? paths[templates[0]][pm.request.method.toLowerCase()] : undefined;
    }
}
