CREATE TABLE queues (
    project_id uuid NOT NULL,
    queue_id bigint GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL,
    served_by text NOT NULL DEFAULT 'service' CHECK (served_by IN ('service', 'workers')),
    paused_at timestamptz,
    lease_seconds smallint NOT NULL DEFAULT 30 CHECK (lease_seconds BETWEEN 10 AND 900),
    retry json NOT NULL,
    max_attempts smallint NOT NULL DEFAULT 20 CHECK (max_attempts BETWEEN 1 AND 1000),
    PRIMARY KEY (project_id, name),
    CONSTRAINT queues_by_id UNIQUE (project_id, queue_id)
);

-- Unfinished jobs, nothing else: finishing deletes the row, so the table stays as small as the backlog.
CREATE TABLE jobs (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    queue_id bigint NOT NULL,
    seq bigint GENERATED ALWAYS AS IDENTITY, -- first in, first out; ids of two replicas do not say who was first
    run_at timestamptz NOT NULL,
    lease_until timestamptz,
    claimed_at timestamptz,
    claim_no bigint NOT NULL DEFAULT 0, -- the fence: raised by each claim, never lowered
    worker_id uuid,
    state smallint NOT NULL CHECK (state BETWEEN 0 AND 2), -- 0 waiting, 1 ready, 2 running
    priority smallint NOT NULL DEFAULT 3 CHECK (priority BETWEEN 1 AND 4),
    attempt smallint NOT NULL DEFAULT 0,
    max_attempts smallint NOT NULL,
    lost smallint NOT NULL DEFAULT 0,
    kind text NOT NULL,
    one_of uuid, -- what this job serves alone, such as an endpoint
    traceparent text,
    retry json, -- a policy of its own; without one the queue's
    continuation json, -- {queue, kind, args}: enqueued by the statement that ends this job, however it ends
    args json NOT NULL,
    -- one infinite time would fail the arithmetic of every claim
    CONSTRAINT jobs_run_at_finite CHECK (isfinite(run_at)),
    CONSTRAINT jobs_lease_while_running CHECK ((state = 2) = (lease_until IS NOT NULL)),
    PRIMARY KEY (project_id, id)
) WITH (
    fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.05
);
-- one probe a priority ends at the first job that is not due; lease and result are in no index, so heartbeats are HOT
CREATE INDEX jobs_ready ON jobs (queue_id, priority, run_at, seq) WHERE state = 1;
CREATE INDEX jobs_running ON jobs (queue_id) WHERE state = 2;
CREATE UNIQUE INDEX jobs_one_of ON jobs (project_id, kind, one_of) WHERE one_of IS NOT NULL;

CREATE TABLE job_history (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    finished_at timestamptz NOT NULL DEFAULT now(),
    queue_id bigint NOT NULL,
    kind text NOT NULL,
    outcome smallint NOT NULL CHECK (outcome BETWEEN 0 AND 3), -- 0 succeeded, 1 failed, 2 canceled, 3 expired
    priority smallint NOT NULL,
    claim_no bigint NOT NULL,
    attempt smallint NOT NULL,
    max_attempts smallint NOT NULL,
    lost smallint NOT NULL,
    run_at timestamptz NOT NULL,
    claimed_at timestamptz,
    traceparent text,
    args json,
    result json,
    error json,
    PRIMARY KEY (project_id, id, finished_at)
) PARTITION BY RANGE (finished_at);
CREATE INDEX job_history_not_succeeded ON job_history (project_id, outcome, id) WHERE outcome <> 0;
SELECT partition_by_day('job_history', 'time');

-- Attempts that did not succeed: failed (the last one too), lost or released. The happy path writes none.
CREATE TABLE job_attempts (
    project_id uuid NOT NULL,
    job_id uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    claim_no bigint NOT NULL,
    attempt smallint NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('failed', 'lost', 'released', 'snoozed')),
    worker_id uuid,
    started_at timestamptz,
    error json,
    PRIMARY KEY (project_id, job_id, at, claim_no)
) PARTITION BY RANGE (at);
SELECT partition_by_day('job_attempts', 'time');

-- Ends a statement, and with it the transaction, whose job is in other hands by now.
CREATE FUNCTION lease_lost() RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the job is no longer held by this claim' USING ERRCODE = 'BH001';
END
$$;
