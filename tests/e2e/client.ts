// A client made from the document alone: it compiles only while the document says what the service takes and answers.
import createClient from "openapi-fetch";
import type { components, paths } from "./openapi";

type Job = components["schemas"]["JobView"];

/** Publishes an event, and waits for the job that its automation enqueued. */
export async function handle(address: string, key: string, ticket: number): Promise<Job> {
    const bellhop = createClient<paths>({ baseUrl: address, headers: { Authorization: `Bearer ${key}` } });

    const published = await bellhop.POST("/v1/events", {
        body: { type: "ticket.created", source: "shop", id: `ticket-${ticket}`, data: { ticket } },
        bodySerializer: (body) => JSON.stringify(body),
        headers: { "Content-Type": "application/json" },
    });
    if (published.error) {
        throw new Error(`${published.error.code}: ${published.error.detail}`);
    }

    const told = await bellhop.GET("/v1/events/{id}/timeline", {
        params: { path: { id: published.data.id }, query: { limit: 200 } },
    });
    const job = told.data?.items.find((item) => item.kind === "job");
    if (!job) {
        throw new Error("nothing has come of it yet");
    }

    const found = await bellhop.GET("/v1/jobs/{id}", { params: { path: { id: job.id } } });
    if (!found.data) {
        throw new Error(found.error ? found.error.detail : "known already");
    }

    return found.data;
}

/** Pauses an automation, unless somebody changed it meanwhile. */
export async function pause(address: string, key: string, name: string): Promise<"paused" | "changed"> {
    const bellhop = createClient<paths>({ baseUrl: address, headers: { Authorization: `Bearer ${key}` } });
    const seen = await bellhop.GET("/v1/automations/{id}", { params: { path: { id: name } } });
    const changed = await bellhop.PATCH("/v1/automations/{id}", {
        params: { path: { id: name }, header: { "If-Match": seen.response.headers.get("ETag") ?? "*" } },
        body: { enabled: false },
    });
    return changed.response.status === 412 ? "changed" : "paused";
}
