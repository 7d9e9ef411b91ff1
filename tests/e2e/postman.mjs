// Makes the Postman collection from the document: node postman.mjs DOCUMENT > COLLECTION. The same document makes the same bytes.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { promisify } from "node:util";

const converter = createRequire(import.meta.url)("openapi-to-postmanv2");
const document = JSON.parse(readFileSync(process.argv[2], "utf8"));

const options = { folderStrategy: "Tags", requestNameSource: "Fallback", parametersResolution: "Example" };
const converted = await promisify(converter.convertV2.bind(converter))({ type: "json", data: structuredClone(document) }, options);
if (!converted.result) {
    throw new Error(converted.reason);
}

const collection = converted.output[0].data;
collection.info = {
    name: "Bellhop",
    description: "Made from the OpenAPI document. Set baseUrl, and bearerToken to an API key.",
    schema: collection.info.schema,
};
collection.variable = [{ key: "baseUrl", value: "http://127.0.0.1:8080" }];
collection.event = [{ listen: "test", script: { type: "text/javascript", exec: script().split("\n") } }];
walk(collection.item);
process.stdout.write(`${JSON.stringify(collection, null, 2)}\n`);

// ids are made anew at each conversion: here the place of a thing is its id
function walk(items, place = "") {
    for (const item of items) {
        const own = `${place}/${item.name}`;
        item.id = idOf(own);
        for (const [index, response] of (item.response ?? []).entries()) {
            response.id = idOf(`${own}#${index}`);
        }

        // what may be left out is left out, or every request would carry conditions that do not hold
        for (const part of [item.request?.header, item.request?.url?.query]) {
            part?.forEach((one) => (one.disabled = !["Content-Type", "Accept"].includes(one.key)));
        }

        delete item.response;
        walk(item.item ?? [], own);
    }
}

function idOf(text) {
    return createHash("sha256").update(text).digest("hex").slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

// runs after each request: the answer is one of those that the document tells of
function script() {
    const operations = {};
    for (const [path, methods] of Object.entries(document.paths)) {
        for (const [method, operation] of Object.entries(methods)) {
            const answers = Object.entries(operation.responses).map(([status, response]) => [
                status,
                Object.fromEntries(Object.entries(response.content ?? {}).map(([type, media]) => [type, media.schema])),
            ]);
            operations[`${method.toUpperCase()} ${path}`] = Object.fromEntries(answers);
        }
    }

    const told = { operations, schemas: document.components.schemas };
    return `const told = ${JSON.stringify(told)};
const path = "/" + pm.request.url.path.map((step) => (step.startsWith(":") ? "{" + step.slice(1) + "}" : step)).join("/");
const answers = told.operations[pm.request.method + " " + path];
const type = (pm.response.headers.get("Content-Type") || "").split(";")[0];
pm.test("the status is one the document tells of", () => {
    pm.expect(answers).to.be.an("object");
    pm.expect(Object.keys(answers)).to.include(String(pm.response.code));
    pm.expect(pm.response.code).to.be.below(500);
});
pm.test("the body is as the document says", () => {
    const schemas = answers[pm.response.code];
    if (Object.keys(schemas).length === 0) {
        pm.expect(pm.response.text()).to.equal("");
        return;
    }

    pm.expect(Object.keys(schemas)).to.include(type);
    if (type !== "text/event-stream") {
        const Ajv = require("ajv");
        const ajv = new Ajv({ unknownFormats: "ignore" });
        const whole = { ...schemas[type], components: { schemas: told.schemas } };
        const isValid = ajv.validate(whole.$ref ? { allOf: [{ $ref: whole.$ref }], components: whole.components } : whole, pm.response.json());
        pm.expect(isValid, JSON.stringify(ajv.errors)).to.equal(true);
    }
});`;
}
