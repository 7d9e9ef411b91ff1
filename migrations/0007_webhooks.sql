CREATE TABLE webhook_endpoints (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    url text NOT NULL,
    event_types text[] NOT NULL,
    state text NOT NULL CHECK (state IN ('active', 'disabled')),
    secrets text[] NOT NULL, -- sealed
    retry json, -- without one the Standard Webhooks schedule
    concurrency smallint NOT NULL DEFAULT 10 CHECK (concurrency BETWEEN 1 AND 100),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id),
    CONSTRAINT webhook_endpoints_name_taken UNIQUE (project_id, name)
);

-- Apart from the endpoint: a counter in the configuration row would change its version with every batch.
CREATE TABLE delivery_sequences (
    project_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    next bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (project_id, endpoint_id)
) WITH (fillfactor = 50);

-- The id is derived from event and endpoint; it is the webhook-id header of every attempt.
CREATE TABLE deliveries (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    event_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    state text NOT NULL
        CHECK (state IN ('pending', 'sending', 'succeeded', 'failed', 'filtered', 'parked', 'disabled', 'canceled')),
    sequence bigint, -- given at the first sending, without gaps
    attempts smallint NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    sender_job uuid, -- who may write the outcome: the job and its claim
    sender_claim bigint,
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    PRIMARY KEY (project_id, id)
) PARTITION BY RANGE (id);
CREATE INDEX deliveries_due ON deliveries (project_id, endpoint_id, next_attempt_at, id)
    WHERE state IN ('pending', 'sending');
CREATE INDEX deliveries_by_event ON deliveries (project_id, event_id);
CREATE INDEX deliveries_by_endpoint ON deliveries (project_id, endpoint_id, id);
CREATE INDEX deliveries_undelivered ON deliveries (project_id, state, id)
    WHERE state NOT IN ('pending', 'sending', 'succeeded');
SELECT partition_by_day('deliveries', 'id');

CREATE TABLE delivery_attempts (
    project_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    attempt smallint NOT NULL,
    at timestamptz NOT NULL, -- when it began
    status smallint,
    error text, -- from a closed list; null when the receiver answered 2xx
    duration_ms integer,
    response bytea, -- the first 16 KiB of the answer's body
    PRIMARY KEY (project_id, delivery_id, attempt)
) PARTITION BY RANGE (delivery_id);
SELECT partition_by_day('delivery_attempts', 'id');
