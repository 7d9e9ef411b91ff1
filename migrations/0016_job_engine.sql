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
CREATE INDEX queues_by_name ON queues (name, project_id); -- the history of deleted ones is found by their name

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
-- Those of jobs that did not succeed hold what jobs are most picked by, so that they are counted without reading the table.
DROP INDEX job_history_not_succeeded;
CREATE INDEX job_history_not_succeeded ON job_history (project_id, outcome, id) INCLUDE (queue_id, kind) WHERE outcome <> 0;
CREATE INDEX job_history_not_succeeded_by_kind ON job_history (project_id, kind, id) INCLUDE (queue_id, outcome) WHERE outcome <> 0;
CREATE INDEX job_history_not_succeeded_by_queue ON job_history (project_id, queue_id, id) INCLUDE (kind, outcome) WHERE outcome <> 0;
-- What has ended is told in the order in which it did. Spelled so that no statement picks it that does not spell it so too: a plan that
-- was made for an empty partition might, and would then read all of a day.
CREATE INDEX job_history_by_end ON job_history (uuid_hash(project_id), (finished_at AT TIME ZONE 'UTC'));

-- The moment before which nothing can end any more: no transaction that is open began before it, but for those that are older than a
-- quarter of a minute, and end no job (the service gives statements up after ten seconds). Half a second is left to those that have
-- begun and are not listed yet. Where logins of the service may not see each other, the whole quarter of a minute is waited for.
CREATE FUNCTION settled_at() RETURNS timestamptz
LANGUAGE sql SECURITY DEFINER SET search_path = bellhop, pg_temp AS $$
    SELECT CASE WHEN bool_or(o.is_hidden) THEN now() - interval '15 seconds'
        ELSE LEAST(now() - interval '500 milliseconds', min(o.xact_start)) END
    FROM (
        SELECT a.xact_start, a.query = '<insufficient privilege>' AND a.application_name LIKE 'bellhop%' AS is_hidden
        FROM pg_stat_activity a
        WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
    ) AS o
    WHERE o.is_hidden OR o.xact_start > now() - interval '15 seconds'
$$;
REVOKE EXECUTE ON FUNCTION settled_at FROM PUBLIC;
GRANT EXECUTE ON FUNCTION settled_at TO bellhop_app;

-- Lines that executions wrote. The last line of a job says what the next one needs to know, so that nothing is counted twice.
CREATE TABLE job_logs (
    project_id uuid NOT NULL,
    job_id uuid NOT NULL,
    seq bigint NOT NULL, -- from 1 for each job, without a gap: given under the lock of the job's row, and so in the order of commits
    at timestamptz NOT NULL,
    claim_no bigint NOT NULL,
    number integer NOT NULL, -- counted by who wrote them: a line that is sent again is stored once; of a mark, minus how many it stands for
    level smallint NOT NULL CHECK (level BETWEEN 0 AND 4), -- debug, info, warning, error, and a mark where lines were left out
    line text NOT NULL,
    bytes bigint NOT NULL, -- what all lines of the job up to this one take, those that were left out since included
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

-- For services on the same PostgreSQL: a job that is there when their own transaction is, and not before. Whoever may execute it
-- may enqueue into every project. Nobody is notified, since a NOTIFY would let all such commits wait for each other: the job is
-- found by looking.
CREATE FUNCTION enqueue(
    project uuid,
    queue text,
    kind text,
    args json DEFAULT '{}',
    run_at timestamptz DEFAULT NULL,
    priority integer DEFAULT 3,
    lane text DEFAULT NULL,
    unique_key text DEFAULT NULL,
    unique_until text DEFAULT 'finish',
    unique_seconds integer DEFAULT NULL,
    on_conflict text DEFAULT 'keep',
    tags text[] DEFAULT NULL,
    start_before timestamptz DEFAULT NULL,
    max_attempts integer DEFAULT NULL
) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = bellhop, pg_temp AS $$
DECLARE
    earliest CONSTANT timestamptz := '2000-01-01T00:00:00Z';
    latest CONSTANT timestamptz := '9999-01-01T00:00:00Z';
    job uuid := new_id();
    holder uuid;
    target record;
    wrong text;
BEGIN
    wrong := CASE
        WHEN project IS NULL THEN 'project: it must be given'
        WHEN enqueue.kind IS NULL OR length(enqueue.kind) NOT BETWEEN 1 AND 100 THEN 'kind: 1 to 100 characters'
        WHEN enqueue.args IS NULL OR json_typeof(enqueue.args) <> 'object' THEN 'args: they must be an object'
        WHEN octet_length(enqueue.args::text) > 262144 THEN 'args: 256 KiB at most'
        WHEN position('\u0000' IN enqueue.args::text) > 0 AND enqueue.args::text ~ '(^|[^\\])(\\\\)*\\u0000' THEN
            'args: without the character \u0000'
        WHEN jsonb_path_exists(enqueue.args::jsonb, 'strict $.**{64 to last}') THEN 'args: they are nested 63 deep at most'
        WHEN NOT enqueue.run_at >= earliest OR NOT enqueue.run_at < latest THEN 'run_at: between the years 2000 and 9998'
        WHEN enqueue.priority IS NULL OR enqueue.priority NOT BETWEEN 1 AND 4 THEN 'priority: 1 to 4'
        WHEN length(enqueue.lane) NOT BETWEEN 1 AND 200 THEN 'lane: 1 to 200 characters'
        WHEN length(unique_key) NOT BETWEEN 1 AND 200 THEN 'unique_key: 1 to 200 characters'
        WHEN unique_until IS NULL OR unique_until NOT IN ('start', 'finish', 'seconds') THEN 'unique_until: start, finish or seconds'
        WHEN unique_seconds NOT BETWEEN 1 AND 31536000 THEN 'unique_seconds: 1 to 31536000'
        WHEN (unique_seconds IS NOT NULL) <> (unique_until = 'seconds') THEN
            'unique_seconds: given where unique_until is seconds, and only there'
        WHEN on_conflict IS NULL OR on_conflict NOT IN ('keep', 'reject') THEN 'on_conflict: keep or reject'
        WHEN cardinality(enqueue.tags) > 20 OR array_ndims(enqueue.tags) > 1 THEN 'tags: 20 at most'
        WHEN EXISTS (
            SELECT FROM unnest(enqueue.tags) AS tag WHERE (tag ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$') IS NOT TRUE
        ) THEN 'tags: 1 to 63 lower-case letters, digits and hyphens each, no hyphen first or last'
        WHEN NOT enqueue.start_before >= earliest OR NOT enqueue.start_before < latest THEN
            'start_before: between the years 2000 and 9998'
        WHEN enqueue.start_before <= enqueue.run_at THEN 'start_before: later than run_at'
        WHEN enqueue.max_attempts NOT BETWEEN 1 AND 1000 THEN 'max_attempts: 1 to 1000'
    END;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'bellhop.enqueue: %', wrong USING ERRCODE = 'invalid_parameter_value';
    END IF;

    IF NOT EXISTS (SELECT FROM projects p WHERE p.id = project AND p.archived_at IS NULL) THEN
        RAISE EXCEPTION 'bellhop.enqueue: there is no project %', project USING ERRCODE = 'invalid_parameter_value';
    END IF;

    -- A queue that may be deleted is held until the commit: its deletion, and every change of it, sees the job, or the job does not find it.
    -- What follows looks at it after that.
    PERFORM FROM queues q
    WHERE q.project_id = project AND q.name = queue AND q.deleted_at IS NULL AND q.name NOT IN ('default', 'automations', 'webhooks')
    FOR KEY SHARE;
    SELECT q.served_by INTO target FROM queues q WHERE q.project_id = project AND q.name = queue AND q.deleted_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'bellhop.enqueue: the project has no queue %', queue USING ERRCODE = 'invalid_parameter_value';
    END IF;

    -- those that the service keeps to itself
    IF enqueue.kind IN ('accounts.mail', 'automations.effect', 'automations.run', 'webhooks.send') THEN
        RAISE EXCEPTION 'bellhop.enqueue: jobs of kind % are the service''s own', enqueue.kind
            USING ERRCODE = 'invalid_parameter_value';
    END IF;

    IF unique_key IS NOT NULL THEN
        INSERT INTO job_keys AS k (project_id, key, job_id, until, expires_at)
        VALUES (
            project, unique_key, job, CASE unique_until WHEN 'start' THEN 0 WHEN 'finish' THEN 1 ELSE 2 END,
            COALESCE(now() + make_interval(secs => unique_seconds), 'infinity')
        )
        ON CONFLICT ON CONSTRAINT job_keys_pkey DO UPDATE
        SET job_id = CASE WHEN k.expires_at <= now() THEN excluded.job_id ELSE k.job_id END,
            until = CASE WHEN k.expires_at <= now() THEN excluded.until ELSE k.until END,
            expires_at = CASE WHEN k.expires_at <= now() THEN excluded.expires_at ELSE k.expires_at END
        RETURNING k.job_id INTO holder;
        IF holder <> job AND on_conflict = 'keep' THEN
            RETURN holder;
        ELSIF holder <> job THEN
            RAISE EXCEPTION 'bellhop.enqueue: the job % holds the key %', holder, unique_key USING ERRCODE = 'unique_violation';
        END IF;
    END IF;

    INSERT INTO jobs AS j (
        project_id, id, queue_id, run_at, state, wait_reason, priority, max_attempts, kind, args, lane, tags, start_before, unique_key
    )
    SELECT project, job, q.queue_id, COALESCE(enqueue.run_at, now()), CASE WHEN held.back THEN 0 ELSE 1 END,
        CASE WHEN held.back THEN 1 ELSE 0 END, enqueue.priority, COALESCE(enqueue.max_attempts, q.max_attempts), enqueue.kind,
        enqueue.args, enqueue.lane, NULLIF(enqueue.tags, '{}'), enqueue.start_before,
        CASE WHEN enqueue.unique_key IS NOT NULL THEN
            json_build_object('key', enqueue.unique_key, 'until', unique_until, 'seconds', unique_seconds)
        END
    FROM queues q
    CROSS JOIN LATERAL (
        SELECT enqueue.lane IS NOT NULL AND (q.lane_ordered OR q.lane_limit IS NOT NULL) AS back
    ) AS held
    WHERE q.project_id = project AND q.name = queue AND q.deleted_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'bellhop.enqueue: the project has no queue %', queue USING ERRCODE = 'invalid_parameter_value';
    END IF;

    RETURN job;
END
$$;
REVOKE EXECUTE ON FUNCTION enqueue FROM PUBLIC;

-- New statistics of the table of jobs where it has grown fourfold since the last: its owner's business, and the service is not its owner.
CREATE FUNCTION analyze_jobs() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = bellhop, pg_temp SET lock_timeout = '200ms' AS $$
BEGIN
    IF pg_relation_size('jobs') <= 4 * current_setting('block_size')::bigint * (
        SELECT GREATEST(c.relpages, 10) FROM pg_class c WHERE c.oid = 'jobs'::regclass
    ) THEN
        RETURN false;
    END IF;
    ANALYZE jobs;
    RETURN true;
EXCEPTION
    WHEN lock_not_available THEN
        RETURN false; -- somebody looks at it at this moment
END
$$;
REVOKE EXECUTE ON FUNCTION analyze_jobs FROM PUBLIC;
GRANT EXECUTE ON FUNCTION analyze_jobs TO bellhop_app;

-- Drops the oldest table of a day before the one that is named, of what jobs that are over leave behind; answers its name, or nothing.
-- It knows a closed list of parents, and leaves the last days alone whatever it is told, since make_partitions makes those.
CREATE FUNCTION drop_job_partition(before date) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = bellhop, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
    oldest text;
BEGIN
    SELECT c.relname INTO oldest
    FROM pg_inherits i
    JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent IN ('job_history'::regclass, 'job_attempts'::regclass, 'job_logs'::regclass, 'queue_minutes'::regclass)
        AND c.relname ~ '_[0-9]{8}$'
        AND right(c.relname, 8) < to_char(LEAST(before, (now() AT TIME ZONE 'UTC')::date - 2), 'YYYYMMDD')
    ORDER BY right(c.relname, 8), c.relname
    LIMIT 1;
    IF oldest IS NOT NULL THEN
        EXECUTE format('DROP TABLE bellhop.%I', oldest);
    END IF;

    RETURN oldest;
END
$$;
REVOKE EXECUTE ON FUNCTION drop_job_partition FROM PUBLIC;
GRANT EXECUTE ON FUNCTION drop_job_partition TO bellhop_app;
