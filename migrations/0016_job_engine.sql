-- What a queue promises: limits, shares, the lease and how long an execution may take.
ALTER TABLE queues
    ADD COLUMN id uuid NOT NULL DEFAULT new_id(),
    ADD COLUMN weight smallint NOT NULL DEFAULT 10 CHECK (weight BETWEEN 1 AND 1000),
    ADD COLUMN max_running integer CHECK (max_running BETWEEN 1 AND 100000),
    ADD COLUMN max_depth integer CHECK (max_depth BETWEEN 1 AND 100000000),
    ADD COLUMN max_run_seconds integer CHECK (max_run_seconds BETWEEN 1 AND 604800),
    ADD COLUMN lane_limit smallint CHECK (lane_limit BETWEEN 1 AND 1000),
    ADD COLUMN lane_ordered boolean NOT NULL DEFAULT false,
    ADD COLUMN rate_count integer CHECK (rate_count BETWEEN 1 AND 1000000),
    ADD COLUMN rate_seconds integer CHECK (rate_seconds BETWEEN 1 AND 86400),
    ADD COLUMN rate_burst integer CHECK (rate_burst BETWEEN 1 AND 1000000),
    ADD COLUMN revision integer NOT NULL DEFAULT 1,
    ADD COLUMN created_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN deleted_at timestamptz, -- the row stays for the history of its jobs, and the name is free again
    DROP CONSTRAINT queues_pkey,
    DROP CONSTRAINT queues_by_id,
    ADD PRIMARY KEY (project_id, queue_id),
    ADD CONSTRAINT queues_rate_whole CHECK (num_nulls(rate_count, rate_seconds, rate_burst) IN (0, 3)),
    ADD CONSTRAINT queues_lane_order CHECK (NOT lane_ordered OR COALESCE(lane_limit, 1) = 1),
    ADD CONSTRAINT queues_by_uuid UNIQUE (project_id, id);
CREATE UNIQUE INDEX queues_name_taken ON queues (project_id, name) WHERE deleted_at IS NULL;
CREATE INDEX queues_by_name ON queues (project_id, name); -- the history of deleted ones is found by their name

-- Of a queue with a rate: its next start is due then, less the burst (GCRA). Apart from the configuration, which it would change.
CREATE TABLE queue_rates (
    project_id uuid NOT NULL,
    queue_id bigint NOT NULL,
    next_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, queue_id)
) WITH (fillfactor = 50);

ALTER TABLE jobs
    ADD COLUMN wait_reason smallint NOT NULL DEFAULT 0 CHECK (wait_reason BETWEEN 0 AND 3), -- 1 lane, 2 other jobs, 3 held
    ADD COLUMN snoozes smallint NOT NULL DEFAULT 0,
    ADD COLUMN has_children boolean NOT NULL DEFAULT false, -- others wait for its end
    ADD COLUMN cancel_requested_at timestamptz,
    ADD COLUMN cancel_by timestamptz, -- whoever holds it has until then
    ADD COLUMN start_before timestamptz, -- not started by then: expired
    ADD COLUMN claim_key uuid, -- which call of a remote worker claimed it
    ADD COLUMN lane text, -- jobs of one lane run a few at once, or one after the other
    ADD COLUMN needs smallint CHECK (needs BETWEEN 0 AND 2), -- of the jobs it waits for: success, any end, anything but success
    ADD COLUMN is_patient boolean, -- when one of them ends otherwise it goes on waiting: that one may be retried
    ADD COLUMN tags text[],
    ADD COLUMN unique_key json, -- {key, until, seconds}: its row in job_keys, and what a retry takes it by again
    ADD COLUMN progress real,
    ADD COLUMN note text,
    ADD COLUMN checkpoint json, -- where the next attempt goes on
    ADD CONSTRAINT jobs_wait_has_reason CHECK ((state = 0) = (wait_reason > 0)),
    ADD CONSTRAINT jobs_cancel_has_end CHECK ((cancel_requested_at IS NULL) = (cancel_by IS NULL)),
    ADD CONSTRAINT jobs_start_before_finite CHECK (isfinite(start_before));
CREATE INDEX jobs_lane_waiting ON jobs (queue_id, lane, priority, run_at, seq) WHERE state = 0 AND wait_reason = 1;
CREATE INDEX jobs_parent_waiting ON jobs (project_id, id) WHERE state = 0 AND wait_reason = 2;
CREATE INDEX jobs_lane_in_order ON jobs (queue_id, lane, seq) WHERE state = 0 AND wait_reason = 1;
CREATE INDEX jobs_lane_held ON jobs (queue_id, lane) WHERE lane IS NOT NULL AND state > 0;
CREATE INDEX jobs_otherwise_waiting ON jobs (queue_id, wait_reason) WHERE state = 0 AND wait_reason > 1;
CREATE INDEX jobs_by_worker ON jobs (worker_id, claim_key) WHERE claim_key IS NOT NULL AND state = 2; -- of remote workers
CREATE INDEX jobs_by_lane ON jobs (project_id, lane, id) WHERE lane IS NOT NULL;
CREATE INDEX jobs_start_before ON jobs (start_before) WHERE start_before IS NOT NULL AND state < 2;
CREATE INDEX jobs_cancel_requested ON jobs (cancel_requested_at) WHERE cancel_requested_at IS NOT NULL;

-- What jobs are found by their tags by: each names its project, so that one project does not look through the jobs of another.
CREATE FUNCTION tag_keys(project_id uuid, tags text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_agg(project_id || '/' || tag) FROM unnest(tags) AS tag
$$;
CREATE INDEX jobs_by_tag ON jobs USING gin (tag_keys(project_id, tags)) WHERE tags IS NOT NULL;

-- Uniqueness is a row of its own: no change of a job's state can collide with it.
CREATE TABLE job_keys (
    project_id uuid NOT NULL,
    key text NOT NULL,
    job_id uuid NOT NULL,
    until smallint NOT NULL CHECK (until BETWEEN 0 AND 2), -- the start, the finish, or expires_at
    expires_at timestamptz NOT NULL DEFAULT 'infinity',
    PRIMARY KEY (project_id, key)
);
CREATE INDEX job_keys_by_job ON job_keys (project_id, job_id);
CREATE INDEX job_keys_expiring ON job_keys (expires_at) WHERE expires_at < 'infinity';

-- A job that waits for the end of another. The edge goes when the end is the one it needs.
CREATE TABLE job_edges (
    project_id uuid NOT NULL,
    parent_id uuid NOT NULL,
    child_id uuid NOT NULL,
    is_broken boolean NOT NULL DEFAULT false, -- the parent has ended, and otherwise
    PRIMARY KEY (project_id, parent_id, child_id)
);
CREATE INDEX job_edges_by_child ON job_edges (project_id, child_id);

ALTER TABLE job_history
    ADD COLUMN reason text, -- what ended it other than its handler
    ADD COLUMN worker_id uuid,
    ADD COLUMN claim_key uuid,
    ADD COLUMN lane text,
    ADD COLUMN tags text[],
    ADD COLUMN unique_key json,
    ADD COLUMN retry json,
    ADD COLUMN continuation json, -- enqueued again by the end of a job that was put back
    ADD COLUMN has_children boolean NOT NULL DEFAULT false;

-- None of these holds a job that succeeded without a lane and tags.
CREATE INDEX job_history_by_lane ON job_history (project_id, lane, id) WHERE lane IS NOT NULL;
CREATE INDEX job_history_by_tag ON job_history USING gin (tag_keys(project_id, tags)) WHERE tags IS NOT NULL;
CREATE INDEX job_history_not_succeeded_by_kind ON job_history (project_id, kind, id) WHERE outcome <> 0;
CREATE INDEX job_history_not_succeeded_by_queue ON job_history (project_id, queue_id, id) WHERE outcome <> 0;

-- Lines that executions wrote, in the order they were stored.
CREATE SEQUENCE job_log_lines;
CREATE TABLE job_logs (
    project_id uuid NOT NULL,
    job_id uuid NOT NULL,
    seq bigint NOT NULL DEFAULT nextval('job_log_lines'),
    at timestamptz NOT NULL DEFAULT now(),
    claim_no bigint NOT NULL,
    number integer NOT NULL, -- counted by who wrote them: a line that is sent again is stored once
    level smallint NOT NULL CHECK (level BETWEEN 0 AND 4), -- debug, info, warning, error, and a mark where lines were left out
    line text NOT NULL,
    PRIMARY KEY (project_id, job_id, seq, at)
) PARTITION BY RANGE (at);
SELECT partition_by_day('job_logs', 'time');

-- Who claims over REST. Written when something changes, else twice a minute.
CREATE TABLE workers (
    project_id uuid NOT NULL,
    id uuid NOT NULL, -- made by the worker
    key uuid NOT NULL DEFAULT new_id(), -- made here, and so in the order they came
    name text NOT NULL,
    version text,
    host text,
    queues text[] NOT NULL,
    directive text NOT NULL DEFAULT 'run' CHECK (directive IN ('run', 'quiet', 'stop')),
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id)
);
CREATE UNIQUE INDEX workers_by_key ON workers (project_id, key);
CREATE INDEX workers_last_seen ON workers (last_seen_at);

-- What a process did for a queue in a minute; each process writes rows of its own, so nobody waits for anybody.
CREATE TABLE queue_minutes (
    project_id uuid NOT NULL,
    queue_id bigint NOT NULL,
    minute timestamptz NOT NULL,
    process_id uuid NOT NULL,
    started integer NOT NULL,
    succeeded integer NOT NULL,
    failed integer NOT NULL,
    retried integer NOT NULL,
    released integer NOT NULL,
    lost integer NOT NULL,
    wait_seconds double precision NOT NULL, -- sums over what was started, and over what ended
    run_seconds double precision NOT NULL,
    PRIMARY KEY (project_id, queue_id, minute, process_id)
) PARTITION BY RANGE (minute);
SELECT partition_by_day('queue_minutes', 'time');

GRANT SELECT, INSERT, UPDATE, DELETE
    ON queue_rates, job_keys, job_edges, job_logs, job_logs_default, workers, queue_minutes, queue_minutes_default TO bellhop_app;
GRANT USAGE ON SEQUENCE job_log_lines TO bellhop_app;
