CREATE TABLE events (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    received_at timestamptz NOT NULL,
    source text NOT NULL,
    event_id text NOT NULL,
    type text NOT NULL,
    subject text,
    time timestamptz,
    data json, -- json, not jsonb: kept as it was received
    attributes json, -- every other CloudEvents attribute, as received
    source_id uuid, -- the source it came in by, when it was a webhook
    depth smallint NOT NULL DEFAULT 0, -- how many runs stand between it and something from outside
    caused_by_run uuid,
    traceparent text,
    PRIMARY KEY (project_id, id)
) PARTITION BY RANGE (id);
CREATE INDEX events_by_type ON events (project_id, type, id);
CREATE INDEX events_caused ON events (project_id, caused_by_run) WHERE caused_by_run IS NOT NULL;
SELECT partition_by_day('events', 'id');

-- (source, id) is unique for as long as the event is kept. Not partitioned, or it could not be unique.
CREATE TABLE event_keys (
    project_id uuid NOT NULL,
    source text NOT NULL,
    event_id text NOT NULL,
    id uuid NOT NULL,
    PRIMARY KEY (project_id, source, event_id)
);

-- Events stored before anyone could say what they cause: the rules had just changed, or matching took too long.
CREATE TABLE unrouted_events (
    project_id uuid NOT NULL,
    event_id uuid NOT NULL,
    reason text NOT NULL CHECK (reason IN ('rules_changed', 'over_budget', 'published_by_sql')),
    PRIMARY KEY (project_id, event_id)
);
