CREATE TABLE automations (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    active_version integer NOT NULL,
    state text NOT NULL CHECK (state IN ('active', 'disabled')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id),
    CONSTRAINT automations_name_taken UNIQUE (project_id, name)
);

-- Versions are immutable; a run keeps the one it began with.
CREATE TABLE automation_versions (
    project_id uuid NOT NULL,
    automation_id uuid NOT NULL,
    version integer NOT NULL,
    definition json NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    PRIMARY KEY (project_id, automation_id, version)
);

-- The id is derived from event and automation, so the primary key is what allows one run for the pair.
CREATE TABLE runs (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    event_id uuid NOT NULL,
    automation_id uuid NOT NULL,
    version integer NOT NULL,
    state text NOT NULL
        CHECK (state IN ('queued', 'running', 'waiting', 'held', 'succeeded', 'partial', 'failed', 'canceled')),
    depth smallint NOT NULL,
    created_at timestamptz NOT NULL, -- what `now` is in its expressions
    job_id uuid, -- the first job that carries it
    waiting_for text, -- the step
    error json,
    finished_at timestamptz,
    traceparent text,
    PRIMARY KEY (project_id, id)
) PARTITION BY RANGE (id);
CREATE INDEX runs_by_event ON runs (project_id, event_id);
CREATE INDEX runs_by_automation ON runs (project_id, automation_id, id);
SELECT partition_by_day('runs', 'id');

CREATE TABLE run_steps (
    project_id uuid NOT NULL,
    run_id uuid NOT NULL,
    step_id text NOT NULL,
    item integer NOT NULL DEFAULT 0,
    position integer NOT NULL,
    state text NOT NULL CHECK (state IN ('succeeded', 'skipped', 'waiting', 'failed')),
    output json,
    error json,
    job_id uuid,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    PRIMARY KEY (project_id, run_id, step_id, item)
) PARTITION BY RANGE (run_id);
SELECT partition_by_day('run_steps', 'id');
