CREATE SCHEMA bellhop;
CREATE FUNCTION bellhop.analyze_jobs() RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'bellhop', 'pg_temp'
    SET lock_timeout TO '200ms'
    AS $$
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
CREATE FUNCTION bellhop.drop_job_partition(before date) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'bellhop', 'pg_temp'
    SET lock_timeout TO '100ms'
    AS $_$
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
$_$;
CREATE FUNCTION bellhop.enqueue(project uuid, queue text, kind text, args json DEFAULT '{}'::json, run_at timestamp with time zone DEFAULT NULL::timestamp with time zone, priority integer DEFAULT 3, lane text DEFAULT NULL::text, unique_key text DEFAULT NULL::text, unique_until text DEFAULT 'finish'::text, unique_seconds integer DEFAULT NULL::integer, on_conflict text DEFAULT 'keep'::text, tags text[] DEFAULT NULL::text[], start_before timestamp with time zone DEFAULT NULL::timestamp with time zone, max_attempts integer DEFAULT NULL::integer) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'bellhop', 'pg_temp'
    AS $_$
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
$_$;
CREATE FUNCTION bellhop.first_id_at(moment timestamp with time zone) RETURNS uuid
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;
CREATE FUNCTION bellhop.id_time(id uuid) RETURNS timestamp with time zone
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT to_timestamp(('x' || lpad(left(replace(id::text, '-', ''), 12), 16, '0'))::bit(64)::bigint / 1000.0)
$$;
CREATE FUNCTION bellhop.lease_lost() RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'the job is no longer held by this claim' USING ERRCODE = 'BH001';
END
$$;
CREATE FUNCTION bellhop.make_partitions(until date) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'bellhop', 'pg_temp'
    AS $$
DECLARE
    parent record;
    day date;
    partition text;
    lower text;
    upper text;
    made integer := 0;
BEGIN
    IF until > (now() AT TIME ZONE 'UTC')::date + 60 THEN
        RAISE EXCEPTION 'partitions are made at most 60 days ahead';
    END IF;
    PERFORM pg_advisory_xact_lock(7093009842);
    FOR parent IN SELECT name, partition_key FROM partitioned_tables ORDER BY name LOOP
        FOR day IN SELECT generate_series((now() AT TIME ZONE 'UTC')::date - 2, until, interval '1 day')::date LOOP
            partition := format('%s_%s', parent.name, to_char(day, 'YYYYMMDD'));
            CONTINUE WHEN to_regclass(format('bellhop.%I', partition)) IS NOT NULL;
            IF parent.partition_key = 'id' THEN
                lower := first_id_at(day::timestamp AT TIME ZONE 'UTC')::text;
                upper := first_id_at((day + 1)::timestamp AT TIME ZONE 'UTC')::text;
            ELSE
                lower := (day::timestamp AT TIME ZONE 'UTC')::text;
                upper := ((day + 1)::timestamp AT TIME ZONE 'UTC')::text;
            END IF;
            EXECUTE format('CREATE TABLE bellhop.%I (LIKE bellhop.%I INCLUDING ALL)', partition, parent.name);
            -- rows of a skewed clock may wait in the default partition; attaching beside them would fail
            EXECUTE format(
                'WITH moved AS (DELETE FROM bellhop.%I WHERE %I >= %L AND %I < %L RETURNING *) INSERT INTO bellhop.%I SELECT * FROM moved',
                parent.name || '_default', partition_column(parent.name), lower, partition_column(parent.name), upper, partition
            );
            EXECUTE format(
                'ALTER TABLE bellhop.%I ATTACH PARTITION bellhop.%I FOR VALUES FROM (%L) TO (%L)', parent.name, partition, lower, upper
            );
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END
$$;
CREATE FUNCTION bellhop.mark_unlinked() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'bellhop', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO audit_unlinked (project_id, id) SELECT project_id, id FROM added;
    RETURN NULL;
END
$$;
CREATE FUNCTION bellhop.new_id() RETURNS uuid
    LANGUAGE sql PARALLEL SAFE
    AS $$
    SELECT encode(
        set_bit(set_bit(
            overlay(
                uuid_send(gen_random_uuid())
                PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                FROM 1 FOR 6
            ), 52, 1), 53, 1),
        'hex'
    )::uuid
$$;
CREATE FUNCTION bellhop.partition_by_day(parent text, partition_key text) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO partitioned_tables (name, partition_key) VALUES (parent, partition_key);
    EXECUTE format('CREATE TABLE bellhop.%I PARTITION OF bellhop.%I DEFAULT', parent || '_default', parent);
END
$$;
CREATE FUNCTION bellhop.partition_column(parent text) RETURNS text
    LANGUAGE sql STABLE
    AS $$
    SELECT a.attname::text
    FROM pg_partitioned_table p
    JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
    WHERE p.partrelid = to_regclass(format('bellhop.%I', parent))
$$;
CREATE FUNCTION bellhop.settled_at() RETURNS timestamp with time zone
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'bellhop', 'pg_temp'
    AS $$
    SELECT CASE WHEN bool_or(o.is_hidden) THEN now() - interval '15 seconds'
        ELSE LEAST(now() - interval '500 milliseconds', min(o.xact_start)) END
    FROM (
        SELECT a.xact_start, a.query = '<insufficient privilege>' AND a.application_name LIKE 'bellhop%' AS is_hidden
        FROM pg_stat_activity a
        WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
    ) AS o
    WHERE o.is_hidden OR o.xact_start > now() - interval '15 seconds'
$$;
CREATE FUNCTION bellhop.tag_keys(project_id uuid, tags text[]) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT array_agg(project_id || '/' || tag) FROM unnest(tags) AS tag
$$;
CREATE TABLE bellhop.api_keys (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    key_id text NOT NULL,
    name text NOT NULL,
    secret_sha256 bytea NOT NULL,
    role text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    last_used_at timestamp with time zone,
    access json DEFAULT '{}'::json NOT NULL,
    created_by text DEFAULT 'cli'::text NOT NULL,
    revision integer DEFAULT 1 NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    rotated_at timestamp with time zone,
    old_sha256 bytea,
    old_expires_at timestamp with time zone
);
CREATE TABLE bellhop.audit_entries (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    actor_id uuid,
    method text NOT NULL,
    address inet,
    request_id text,
    action text NOT NULL,
    target text NOT NULL,
    target_id uuid,
    before json,
    after json
);
CREATE TABLE bellhop.audit_heads (
    project_id uuid NOT NULL,
    seq bigint NOT NULL,
    hash bytea NOT NULL,
    seal text NOT NULL
);
COMMENT ON COLUMN bellhop.audit_heads.seal IS 'sealed';
CREATE TABLE bellhop.audit_links (
    project_id uuid NOT NULL,
    seq bigint NOT NULL,
    entry_id uuid NOT NULL,
    hash bytea NOT NULL
);
CREATE TABLE bellhop.audit_unlinked (
    project_id uuid NOT NULL,
    id uuid NOT NULL
);
CREATE TABLE bellhop.automation_versions (
    project_id uuid NOT NULL,
    automation_id uuid NOT NULL,
    version integer NOT NULL,
    definition json NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    created_by text NOT NULL
);
CREATE TABLE bellhop.automations (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    active_version integer NOT NULL,
    state text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    tags text[] DEFAULT '{}'::text[] NOT NULL,
    owner_id uuid,
    CONSTRAINT automations_state_check CHECK ((state = ANY (ARRAY['active'::text, 'disabled'::text])))
);
CREATE TABLE bellhop.connections (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    config json NOT NULL,
    secret_name text,
    secret text,
    revision integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    tags text[] DEFAULT '{}'::text[] NOT NULL,
    owner_id uuid,
    CONSTRAINT connections_kind_check CHECK ((kind = ANY (ARRAY['http'::text, 'postgresql'::text, 'mysql'::text, 'smtp'::text, 's3'::text, 'llm'::text]))),
    CONSTRAINT connections_one_secret CHECK (((secret_name IS NULL) OR (secret IS NULL)))
);
COMMENT ON COLUMN bellhop.connections.secret IS 'sealed';
CREATE TABLE bellhop.deliveries (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    event_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    state text NOT NULL,
    sequence bigint,
    attempts smallint DEFAULT 0 NOT NULL,
    next_attempt_at timestamp with time zone,
    sender_job uuid,
    sender_claim bigint,
    created_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT deliveries_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'sending'::text, 'succeeded'::text, 'failed'::text, 'filtered'::text, 'parked'::text, 'disabled'::text, 'canceled'::text])))
)
PARTITION BY RANGE (id);
CREATE TABLE bellhop.deliveries_default (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    event_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    state text NOT NULL,
    sequence bigint,
    attempts smallint DEFAULT 0 NOT NULL,
    next_attempt_at timestamp with time zone,
    sender_job uuid,
    sender_claim bigint,
    created_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT deliveries_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'sending'::text, 'succeeded'::text, 'failed'::text, 'filtered'::text, 'parked'::text, 'disabled'::text, 'canceled'::text])))
);
CREATE TABLE bellhop.delivery_attempts (
    project_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    attempt smallint NOT NULL,
    at timestamp with time zone NOT NULL,
    status smallint,
    error text,
    duration_ms integer,
    response bytea
)
PARTITION BY RANGE (delivery_id);
CREATE TABLE bellhop.delivery_attempts_default (
    project_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    attempt smallint NOT NULL,
    at timestamp with time zone NOT NULL,
    status smallint,
    error text,
    duration_ms integer,
    response bytea
);
CREATE TABLE bellhop.delivery_sequences (
    project_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    next bigint DEFAULT 1 NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE bellhop.event_keys (
    project_id uuid NOT NULL,
    source text NOT NULL,
    event_id text NOT NULL,
    id uuid NOT NULL
);
CREATE TABLE bellhop.events (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    received_at timestamp with time zone NOT NULL,
    source text NOT NULL,
    event_id text NOT NULL,
    type text NOT NULL,
    subject text,
    "time" timestamp with time zone,
    data json,
    attributes json,
    source_id uuid,
    depth smallint DEFAULT 0 NOT NULL,
    caused_by_run uuid,
    traceparent text
)
PARTITION BY RANGE (id);
CREATE TABLE bellhop.events_default (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    received_at timestamp with time zone NOT NULL,
    source text NOT NULL,
    event_id text NOT NULL,
    type text NOT NULL,
    subject text,
    "time" timestamp with time zone,
    data json,
    attributes json,
    source_id uuid,
    depth smallint DEFAULT 0 NOT NULL,
    caused_by_run uuid,
    traceparent text
);
CREATE TABLE bellhop.idempotency_keys (
    project_id uuid NOT NULL,
    key_sha256 bytea NOT NULL,
    request_sha256 bytea NOT NULL,
    answer text NOT NULL,
    created_at timestamp with time zone NOT NULL
);
COMMENT ON COLUMN bellhop.idempotency_keys.answer IS 'sealed';
CREATE TABLE bellhop.job_attempts (
    project_id uuid NOT NULL,
    job_id uuid NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    claim_no bigint NOT NULL,
    attempt smallint NOT NULL,
    outcome text NOT NULL,
    worker_id uuid,
    started_at timestamp with time zone,
    error json,
    CONSTRAINT job_attempts_outcome_check CHECK ((outcome = ANY (ARRAY['failed'::text, 'lost'::text, 'released'::text, 'snoozed'::text])))
)
PARTITION BY RANGE (at);
CREATE TABLE bellhop.job_attempts_default (
    project_id uuid NOT NULL,
    job_id uuid NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    claim_no bigint NOT NULL,
    attempt smallint NOT NULL,
    outcome text NOT NULL,
    worker_id uuid,
    started_at timestamp with time zone,
    error json,
    CONSTRAINT job_attempts_outcome_check CHECK ((outcome = ANY (ARRAY['failed'::text, 'lost'::text, 'released'::text, 'snoozed'::text])))
);
CREATE TABLE bellhop.job_edges (
    project_id uuid NOT NULL,
    parent_id uuid NOT NULL,
    child_id uuid NOT NULL,
    is_broken boolean DEFAULT false NOT NULL
);
CREATE TABLE bellhop.job_history (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    finished_at timestamp with time zone DEFAULT now() NOT NULL,
    queue_id bigint NOT NULL,
    kind text NOT NULL,
    outcome smallint NOT NULL,
    priority smallint NOT NULL,
    claim_no bigint NOT NULL,
    attempt smallint NOT NULL,
    max_attempts smallint NOT NULL,
    lost smallint NOT NULL,
    run_at timestamp with time zone NOT NULL,
    claimed_at timestamp with time zone,
    traceparent text,
    args json,
    result json,
    error json,
    reason text,
    worker_id uuid,
    claim_key uuid,
    lane text,
    tags text[],
    unique_key json,
    retry json,
    continuation json,
    has_children boolean DEFAULT false NOT NULL,
    CONSTRAINT job_history_outcome_check CHECK (((outcome >= 0) AND (outcome <= 3)))
)
PARTITION BY RANGE (finished_at);
CREATE TABLE bellhop.job_history_default (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    finished_at timestamp with time zone DEFAULT now() NOT NULL,
    queue_id bigint NOT NULL,
    kind text NOT NULL,
    outcome smallint NOT NULL,
    priority smallint NOT NULL,
    claim_no bigint NOT NULL,
    attempt smallint NOT NULL,
    max_attempts smallint NOT NULL,
    lost smallint NOT NULL,
    run_at timestamp with time zone NOT NULL,
    claimed_at timestamp with time zone,
    traceparent text,
    args json,
    result json,
    error json,
    reason text,
    worker_id uuid,
    claim_key uuid,
    lane text,
    tags text[],
    unique_key json,
    retry json,
    continuation json,
    has_children boolean DEFAULT false NOT NULL,
    CONSTRAINT job_history_outcome_check CHECK (((outcome >= 0) AND (outcome <= 3)))
);
CREATE TABLE bellhop.job_keys (
    project_id uuid NOT NULL,
    key text NOT NULL,
    job_id uuid NOT NULL,
    until smallint NOT NULL,
    expires_at timestamp with time zone DEFAULT 'infinity'::timestamp with time zone NOT NULL,
    CONSTRAINT job_keys_until_check CHECK (((until >= 0) AND (until <= 2)))
);
CREATE TABLE bellhop.job_logs (
    project_id uuid NOT NULL,
    job_id uuid NOT NULL,
    seq bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    claim_no bigint NOT NULL,
    number integer NOT NULL,
    level smallint NOT NULL,
    line text NOT NULL,
    bytes bigint NOT NULL,
    CONSTRAINT job_logs_level_check CHECK (((level >= 0) AND (level <= 4)))
)
PARTITION BY RANGE (at);
CREATE TABLE bellhop.job_logs_default (
    project_id uuid NOT NULL,
    job_id uuid NOT NULL,
    seq bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    claim_no bigint NOT NULL,
    number integer NOT NULL,
    level smallint NOT NULL,
    line text NOT NULL,
    bytes bigint NOT NULL,
    CONSTRAINT job_logs_level_check CHECK (((level >= 0) AND (level <= 4)))
);
CREATE TABLE bellhop.jobs (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    queue_id bigint NOT NULL,
    seq bigint NOT NULL,
    run_at timestamp with time zone NOT NULL,
    lease_until timestamp with time zone,
    claimed_at timestamp with time zone,
    claim_no bigint DEFAULT 0 NOT NULL,
    worker_id uuid,
    state smallint NOT NULL,
    priority smallint DEFAULT 3 NOT NULL,
    attempt smallint DEFAULT 0 NOT NULL,
    max_attempts smallint NOT NULL,
    lost smallint DEFAULT 0 NOT NULL,
    kind text NOT NULL,
    one_of uuid,
    traceparent text,
    retry json,
    continuation json,
    args json NOT NULL,
    wait_reason smallint DEFAULT 0 NOT NULL,
    snoozes smallint DEFAULT 0 NOT NULL,
    has_children boolean DEFAULT false NOT NULL,
    cancel_requested_at timestamp with time zone,
    cancel_by timestamp with time zone,
    start_before timestamp with time zone,
    claim_key uuid,
    lane text,
    needs smallint,
    is_patient boolean,
    tags text[],
    unique_key json,
    progress real,
    note text,
    checkpoint json,
    CONSTRAINT jobs_cancel_has_end CHECK (((cancel_requested_at IS NULL) = (cancel_by IS NULL))),
    CONSTRAINT jobs_lease_while_running CHECK (((state = 2) = (lease_until IS NOT NULL))),
    CONSTRAINT jobs_needs_check CHECK (((needs >= 0) AND (needs <= 2))),
    CONSTRAINT jobs_priority_check CHECK (((priority >= 1) AND (priority <= 4))),
    CONSTRAINT jobs_run_at_finite CHECK (isfinite(run_at)),
    CONSTRAINT jobs_start_before_finite CHECK (isfinite(start_before)),
    CONSTRAINT jobs_state_check CHECK (((state >= 0) AND (state <= 2))),
    CONSTRAINT jobs_wait_has_reason CHECK (((state = 0) = (wait_reason > 0))),
    CONSTRAINT jobs_wait_reason_check CHECK (((wait_reason >= 0) AND (wait_reason <= 3)))
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.02', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_cost_delay='0', autovacuum_analyze_scale_factor='0.05');
ALTER TABLE bellhop.jobs ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME bellhop.jobs_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE bellhop.key_ring_ids (
    kid text NOT NULL,
    check_value bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    retired_at timestamp with time zone
);
CREATE TABLE bellhop.login_throttles (
    email_sha256 bytea NOT NULL,
    failures integer NOT NULL,
    blocked_until timestamp with time zone,
    failed_at timestamp with time zone NOT NULL
);
CREATE TABLE bellhop.memberships (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    role text NOT NULL,
    access json DEFAULT '{}'::json NOT NULL,
    revision integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    created_by text NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    disabled_at timestamp with time zone,
    CONSTRAINT memberships_role_check CHECK ((role = ANY (ARRAY['viewer'::text, 'operator'::text, 'developer'::text, 'admin'::text, 'owner'::text, 'worker'::text])))
);
CREATE TABLE bellhop.one_time_tokens (
    id uuid NOT NULL,
    purpose text NOT NULL,
    email text NOT NULL,
    email_key text NOT NULL,
    project_id uuid,
    role text,
    access json,
    secret_sha256 bytea,
    created_at timestamp with time zone NOT NULL,
    created_by text NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    CONSTRAINT one_time_tokens_purpose_check CHECK ((purpose = ANY (ARRAY['owner'::text, 'invitation'::text, 'reset'::text])))
);
CREATE TABLE bellhop.partitioned_tables (
    name text NOT NULL,
    partition_key text NOT NULL,
    CONSTRAINT partitioned_tables_partition_key_check CHECK ((partition_key = ANY (ARRAY['id'::text, 'time'::text])))
);
CREATE TABLE bellhop.projects (
    id uuid NOT NULL,
    name text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    revision integer DEFAULT 1 NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    archived_at timestamp with time zone
);
CREATE TABLE bellhop.queue_minutes (
    project_id uuid NOT NULL,
    queue_id bigint NOT NULL,
    minute timestamp with time zone NOT NULL,
    process_id uuid NOT NULL,
    started integer NOT NULL,
    succeeded integer NOT NULL,
    failed integer NOT NULL,
    retried integer NOT NULL,
    released integer NOT NULL,
    lost integer NOT NULL,
    wait_seconds double precision NOT NULL,
    run_seconds double precision NOT NULL
)
PARTITION BY RANGE (minute);
CREATE TABLE bellhop.queue_minutes_default (
    project_id uuid NOT NULL,
    queue_id bigint NOT NULL,
    minute timestamp with time zone NOT NULL,
    process_id uuid NOT NULL,
    started integer NOT NULL,
    succeeded integer NOT NULL,
    failed integer NOT NULL,
    retried integer NOT NULL,
    released integer NOT NULL,
    lost integer NOT NULL,
    wait_seconds double precision NOT NULL,
    run_seconds double precision NOT NULL
);
CREATE TABLE bellhop.queue_rates (
    project_id uuid NOT NULL,
    queue_id bigint NOT NULL,
    next_at timestamp with time zone NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE bellhop.queues (
    project_id uuid NOT NULL,
    queue_id bigint NOT NULL,
    name text NOT NULL,
    served_by text DEFAULT 'service'::text NOT NULL,
    paused_at timestamp with time zone,
    lease_seconds smallint DEFAULT 30 NOT NULL,
    retry json NOT NULL,
    max_attempts smallint DEFAULT 20 NOT NULL,
    id uuid DEFAULT bellhop.new_id() NOT NULL,
    weight smallint DEFAULT 10 NOT NULL,
    max_running integer,
    max_depth integer,
    max_run_seconds integer,
    lane_limit smallint,
    lane_ordered boolean DEFAULT false NOT NULL,
    rate_count integer,
    rate_seconds integer,
    rate_burst integer,
    revision integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT queues_lane_limit_check CHECK (((lane_limit >= 1) AND (lane_limit <= 1000))),
    CONSTRAINT queues_lane_order CHECK (((NOT lane_ordered) OR (COALESCE((lane_limit)::integer, 1) = 1))),
    CONSTRAINT queues_lease_seconds_check CHECK (((lease_seconds >= 10) AND (lease_seconds <= 900))),
    CONSTRAINT queues_max_attempts_check CHECK (((max_attempts >= 1) AND (max_attempts <= 1000))),
    CONSTRAINT queues_max_depth_check CHECK (((max_depth >= 1) AND (max_depth <= 100000000))),
    CONSTRAINT queues_max_run_seconds_check CHECK (((max_run_seconds >= 1) AND (max_run_seconds <= 604800))),
    CONSTRAINT queues_max_running_check CHECK (((max_running >= 1) AND (max_running <= 100000))),
    CONSTRAINT queues_rate_burst_check CHECK (((rate_burst >= 1) AND (rate_burst <= 1000000))),
    CONSTRAINT queues_rate_count_check CHECK (((rate_count >= 1) AND (rate_count <= 1000000))),
    CONSTRAINT queues_rate_seconds_check CHECK (((rate_seconds >= 1) AND (rate_seconds <= 86400))),
    CONSTRAINT queues_rate_whole CHECK ((num_nulls(rate_count, rate_seconds, rate_burst) = ANY (ARRAY[0, 3]))),
    CONSTRAINT queues_served_by_check CHECK ((served_by = ANY (ARRAY['service'::text, 'workers'::text]))),
    CONSTRAINT queues_weight_check CHECK (((weight >= 1) AND (weight <= 1000)))
);
ALTER TABLE bellhop.queues ALTER COLUMN queue_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME bellhop.queues_queue_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE bellhop.recovery_codes (
    user_id uuid NOT NULL,
    code_sha256 bytea NOT NULL,
    used_at timestamp with time zone
);
CREATE TABLE bellhop.refresh_tokens (
    secret_sha256 bytea NOT NULL,
    user_id uuid NOT NULL,
    family_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    spent_at timestamp with time zone,
    successor_sha256 bytea
);
CREATE TABLE bellhop.rules_versions (
    project_id uuid NOT NULL,
    version bigint DEFAULT 1 NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE bellhop.run_steps (
    project_id uuid NOT NULL,
    run_id uuid NOT NULL,
    step_id text NOT NULL,
    item integer DEFAULT 0 NOT NULL,
    "position" integer NOT NULL,
    state text NOT NULL,
    output json,
    error json,
    job_id uuid,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT run_steps_state_check CHECK ((state = ANY (ARRAY['succeeded'::text, 'skipped'::text, 'waiting'::text, 'failed'::text])))
)
PARTITION BY RANGE (run_id);
CREATE TABLE bellhop.run_steps_default (
    project_id uuid NOT NULL,
    run_id uuid NOT NULL,
    step_id text NOT NULL,
    item integer DEFAULT 0 NOT NULL,
    "position" integer NOT NULL,
    state text NOT NULL,
    output json,
    error json,
    job_id uuid,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT run_steps_state_check CHECK ((state = ANY (ARRAY['succeeded'::text, 'skipped'::text, 'waiting'::text, 'failed'::text])))
);
CREATE TABLE bellhop.runs (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    event_id uuid NOT NULL,
    automation_id uuid NOT NULL,
    version integer NOT NULL,
    state text NOT NULL,
    depth smallint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    job_id uuid,
    waiting_for text,
    error json,
    finished_at timestamp with time zone,
    traceparent text,
    CONSTRAINT runs_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'running'::text, 'waiting'::text, 'held'::text, 'succeeded'::text, 'partial'::text, 'failed'::text, 'canceled'::text])))
)
PARTITION BY RANGE (id);
CREATE TABLE bellhop.runs_default (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    event_id uuid NOT NULL,
    automation_id uuid NOT NULL,
    version integer NOT NULL,
    state text NOT NULL,
    depth smallint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    job_id uuid,
    waiting_for text,
    error json,
    finished_at timestamp with time zone,
    traceparent text,
    CONSTRAINT runs_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'running'::text, 'waiting'::text, 'held'::text, 'succeeded'::text, 'partial'::text, 'failed'::text, 'canceled'::text])))
);
CREATE TABLE bellhop.schema_versions (
    schemaversionsid integer NOT NULL,
    scriptname character varying(255) NOT NULL,
    applied timestamp without time zone NOT NULL
);
CREATE SEQUENCE bellhop.schema_versions_schemaversionsid_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE bellhop.schema_versions_schemaversionsid_seq OWNED BY bellhop.schema_versions.schemaversionsid;
CREATE TABLE bellhop.secrets (
    project_id uuid NOT NULL,
    name text NOT NULL,
    value text NOT NULL,
    revision integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    last_used_at timestamp with time zone
);
COMMENT ON COLUMN bellhop.secrets.value IS 'sealed';
CREATE TABLE bellhop.sessions (
    user_id uuid NOT NULL,
    id uuid NOT NULL,
    secret_sha256 bytea NOT NULL,
    method text NOT NULL,
    address inet,
    user_agent text,
    created_at timestamp with time zone NOT NULL,
    last_seen_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT sessions_method_check CHECK ((method = ANY (ARRAY['password'::text, 'totp'::text, 'oidc'::text])))
);
CREATE TABLE bellhop.signing_keys (
    kid text NOT NULL,
    state text NOT NULL,
    public_key bytea NOT NULL,
    private_key text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    activated_at timestamp with time zone,
    retires_at timestamp with time zone,
    CONSTRAINT signing_keys_state_check CHECK ((state = ANY (ARRAY['next'::text, 'current'::text, 'previous'::text])))
);
COMMENT ON COLUMN bellhop.signing_keys.private_key IS 'sealed';
CREATE TABLE bellhop.source_rejections (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    source_id uuid NOT NULL,
    rejected_at timestamp with time zone NOT NULL,
    reason text NOT NULL,
    detail text,
    headers json NOT NULL,
    body bytea NOT NULL,
    body_bytes integer NOT NULL,
    also_rejected integer DEFAULT 0 NOT NULL
)
PARTITION BY RANGE (id);
CREATE TABLE bellhop.source_rejections_default (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    source_id uuid NOT NULL,
    rejected_at timestamp with time zone NOT NULL,
    reason text NOT NULL,
    detail text,
    headers json NOT NULL,
    body bytea NOT NULL,
    body_bytes integer NOT NULL,
    also_rejected integer DEFAULT 0 NOT NULL
);
CREATE TABLE bellhop.sources (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    scheme text NOT NULL,
    token text NOT NULL,
    secrets text[] NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    revision integer DEFAULT 1 NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    tags text[] DEFAULT '{}'::text[] NOT NULL,
    owner_id uuid
);
COMMENT ON COLUMN bellhop.sources.secrets IS 'sealed';
CREATE TABLE bellhop.token_families (
    user_id uuid NOT NULL,
    id uuid NOT NULL,
    token_epoch integer NOT NULL,
    address inet,
    user_agent text,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    ended_because text,
    CONSTRAINT token_families_ended_because_check CHECK ((ended_because = ANY (ARRAY['reused'::text, 'revoked'::text, 'signed_out'::text])))
);
CREATE TABLE bellhop.token_issuers (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    issuer text NOT NULL,
    audience text NOT NULL,
    jwks_url text,
    subject text,
    role text NOT NULL,
    access json DEFAULT '{}'::json NOT NULL,
    revision integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
CREATE TABLE bellhop.unrouted_events (
    project_id uuid NOT NULL,
    event_id uuid NOT NULL,
    reason text NOT NULL,
    CONSTRAINT unrouted_events_reason_check CHECK ((reason = ANY (ARRAY['rules_changed'::text, 'over_budget'::text, 'published_by_sql'::text])))
);
CREATE TABLE bellhop.user_identities (
    issuer text NOT NULL,
    subject text NOT NULL,
    user_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE bellhop.users (
    id uuid NOT NULL,
    email text NOT NULL,
    email_key text NOT NULL,
    password_hash text,
    token_epoch integer DEFAULT 1 NOT NULL,
    totp_secret text,
    totp_enabled_at timestamp with time zone,
    totp_step bigint DEFAULT 0 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    password_changed_at timestamp with time zone,
    last_login_at timestamp with time zone,
    disabled_at timestamp with time zone
);
COMMENT ON COLUMN bellhop.users.totp_secret IS 'sealed';
CREATE TABLE bellhop.webhook_endpoints (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    url text NOT NULL,
    event_types text[] NOT NULL,
    state text NOT NULL,
    secrets text[] NOT NULL,
    retry json,
    concurrency smallint DEFAULT 10 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    revision integer DEFAULT 1 NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    tags text[] DEFAULT '{}'::text[] NOT NULL,
    owner_id uuid,
    CONSTRAINT webhook_endpoints_concurrency_check CHECK (((concurrency >= 1) AND (concurrency <= 100))),
    CONSTRAINT webhook_endpoints_state_check CHECK ((state = ANY (ARRAY['active'::text, 'disabled'::text])))
);
COMMENT ON COLUMN bellhop.webhook_endpoints.secrets IS 'sealed';
CREATE TABLE bellhop.workers (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    key uuid DEFAULT bellhop.new_id() NOT NULL,
    name text NOT NULL,
    version text,
    host text,
    queues text[] NOT NULL,
    directive text DEFAULT 'run'::text NOT NULL,
    first_seen_at timestamp with time zone DEFAULT now() NOT NULL,
    last_seen_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT workers_directive_check CHECK ((directive = ANY (ARRAY['run'::text, 'quiet'::text, 'stop'::text])))
);
ALTER TABLE ONLY bellhop.deliveries ATTACH PARTITION bellhop.deliveries_default DEFAULT;
ALTER TABLE ONLY bellhop.delivery_attempts ATTACH PARTITION bellhop.delivery_attempts_default DEFAULT;
ALTER TABLE ONLY bellhop.events ATTACH PARTITION bellhop.events_default DEFAULT;
ALTER TABLE ONLY bellhop.job_attempts ATTACH PARTITION bellhop.job_attempts_default DEFAULT;
ALTER TABLE ONLY bellhop.job_history ATTACH PARTITION bellhop.job_history_default DEFAULT;
ALTER TABLE ONLY bellhop.job_logs ATTACH PARTITION bellhop.job_logs_default DEFAULT;
ALTER TABLE ONLY bellhop.queue_minutes ATTACH PARTITION bellhop.queue_minutes_default DEFAULT;
ALTER TABLE ONLY bellhop.run_steps ATTACH PARTITION bellhop.run_steps_default DEFAULT;
ALTER TABLE ONLY bellhop.runs ATTACH PARTITION bellhop.runs_default DEFAULT;
ALTER TABLE ONLY bellhop.source_rejections ATTACH PARTITION bellhop.source_rejections_default DEFAULT;
ALTER TABLE ONLY bellhop.schema_versions ALTER COLUMN schemaversionsid SET DEFAULT nextval('bellhop.schema_versions_schemaversionsid_seq'::regclass);
ALTER TABLE ONLY bellhop.schema_versions
    ADD CONSTRAINT "PK_schema_versions_Id" PRIMARY KEY (schemaversionsid);
ALTER TABLE ONLY bellhop.api_keys
    ADD CONSTRAINT api_keys_by_key_id UNIQUE (key_id);
ALTER TABLE ONLY bellhop.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (project_id, id);
ALTER TABLE ONLY bellhop.audit_entries
    ADD CONSTRAINT audit_entries_pkey PRIMARY KEY (project_id, id);
ALTER TABLE ONLY bellhop.audit_heads
    ADD CONSTRAINT audit_heads_pkey PRIMARY KEY (project_id);
ALTER TABLE ONLY bellhop.audit_links
    ADD CONSTRAINT audit_links_once UNIQUE (project_id, entry_id);
ALTER TABLE ONLY bellhop.audit_links
    ADD CONSTRAINT audit_links_pkey PRIMARY KEY (project_id, seq);
ALTER TABLE ONLY bellhop.audit_unlinked
    ADD CONSTRAINT audit_unlinked_pkey PRIMARY KEY (project_id, id);
ALTER TABLE ONLY bellhop.automation_versions
    ADD CONSTRAINT automation_versions_pkey PRIMARY KEY (project_id, automation_id, version);
ALTER TABLE ONLY bellhop.automations
    ADD CONSTRAINT automations_pkey PRIMARY KEY (project_id, id);
ALTER TABLE ONLY bellhop.connections
    ADD CONSTRAINT connections_name_taken UNIQUE (project_id, name);
ALTER TABLE ONLY bellhop.connections
    ADD CONSTRAINT connections_pkey PRIMARY KEY (project_id, id);
ALTER TABLE ONLY bellhop.deliveries
    ADD CONSTRAINT deliveries_pkey PRIMARY KEY (project_id, id);
ALTER TABLE ONLY bellhop.deliveries_default
    ADD CONSTRAINT deliveries_default_pkey PRIMARY KEY (project_id, id);
ALTER TABLE ONLY bellhop.delivery_attempts
    ADD CONSTRAINT delivery_attempts_pkey PRIMARY KEY (project_id, delivery_id, attempt);
ALTER TABLE ONLY bellhop.delivery_attempts_default
    ADD CONSTRAINT delivery_attempts_default_pkey PRIMARY KEY (project_id, delivery_id, attempt);
ALTER TABLE ONLY bellhop.delivery_sequences
    ADD CONSTRAINT delivery_sequences_pkey PRIMARY KEY (project_id, endpoint_id);
ALTER TABLE ONLY bellhop.event_keys
    ADD CONSTRAINT event_keys_pkey PRIMARY KEY (project_id, source, event_id);
ALTER TABLE ONLY bellhop.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (project_id, id);
ALTER TABLE ONLY bellhop.events_default
    ADD CONSTRAINT events_default_pkey PRIMARY KEY (project_id, id);
ALTER TABLE ONLY bellhop.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (project_id, key_sha256);
ALTER TABLE ONLY bellhop.job_attempts
    ADD CONSTRAINT job_attempts_pkey PRIMARY KEY (project_id, job_id, at, claim_no);
ALTER TABLE ONLY bellhop.job_attempts_default
    ADD CONSTRAINT job_attempts_default_pkey PRIMARY KEY (project_id, job_id, at, claim_no);
ALTER TABLE ONLY bellhop.job_edges
    ADD CONSTRAINT job_edges_pkey PRIMARY KEY (project_id, parent_id, child_id);
ALTER TABLE ONLY bellhop.job_history
    ADD CONSTRAINT job_history_pkey PRIMARY KEY (project_id, id, finished_at);
ALTER TABLE ONLY bellhop.job_history_default
    ADD CONSTRAINT job_history_default_pkey PRIMARY KEY (project_id, id, finished_at);
ALTER TABLE ONLY bellhop.job_keys
    ADD CONSTRAINT job_keys_pkey PRIMARY KEY (project_id, key);
ALTER TABLE ONLY bellhop.job_logs
    ADD CONSTRAINT job_logs_pkey PRIMARY KEY (project_id, job_id, seq, at);
ALTER TABLE ONLY bellhop.job_logs_default
    ADD CONSTRAINT job_logs_default_pkey PRIMARY KEY (project_id, job_id, seq, at);
ALTER TABLE ONLY bellhop.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (project_id, id);
ALTER TABLE ONLY bellhop.key_ring_ids
    ADD CONSTRAINT key_ring_ids_pkey PRIMARY KEY (kid);
ALTER TABLE ONLY bellhop.login_throttles
    ADD CONSTRAINT login_throttles_pkey PRIMARY KEY (email_sha256);
ALTER TABLE ONLY bellhop.memberships
    ADD CONSTRAINT memberships_once UNIQUE (project_id, user_id);
ALTER TABLE ONLY bellhop.memberships
    ADD CONSTRAINT memberships_pkey PRIMARY KEY (project_id, id);
ALTER TABLE ONLY bellhop.one_time_tokens
    ADD CONSTRAINT one_time_tokens_by_secret UNIQUE (secret_sha256);
ALTER TABLE ONLY bellhop.one_time_tokens
    ADD CONSTRAINT one_time_tokens_pkey PRIMARY KEY (id);
ALTER TABLE ONLY bellhop.partitioned_tables
    ADD CONSTRAINT partitioned_tables_pkey PRIMARY KEY (name);
ALTER TABLE ONLY bellhop.projects
    ADD CONSTRAINT projects_name_taken UNIQUE (name);
ALTER TABLE ONLY bellhop.projects
    ADD CONSTRAINT projects_pkey PRIMARY KEY (id);
ALTER TABLE ONLY bellhop.queue_minutes
    ADD CONSTRAINT queue_minutes_pkey PRIMARY KEY (project_id, queue_id, minute, process_id);
ALTER TABLE ONLY bellhop.queue_minutes_default
    ADD CONSTRAINT queue_minutes_default_pkey PRIMARY KEY (project_id, queue_id, minute, process_id);
ALTER TABLE ONLY bellhop.queue_rates
    ADD CONSTRAINT queue_rates_pkey PRIMARY KEY (project_id, queue_id);
ALTER TABLE ONLY bellhop.queues
    ADD CONSTRAINT queues_by_uuid UNIQUE (project_id, id);
ALTER TABLE ONLY bellhop.queues
    ADD CONSTRAINT queues_pkey PRIMARY KEY (project_id, queue_id);
ALTER TABLE ONLY bellhop.recovery_codes
    ADD CONSTRAINT recovery_codes_pkey PRIMARY KEY (user_id, code_sha256);
ALTER TABLE ONLY bellhop.refresh_tokens
    ADD CONSTRAINT refresh_tokens_pkey PRIMARY KEY (secret_sha256);
ALTER TABLE ONLY bellhop.rules_versions
    ADD CONSTRAINT rules_versions_pkey PRIMARY KEY (project_id);
ALTER TABLE ONLY bellhop.run_steps
    ADD CONSTRAINT run_steps_pkey PRIMARY KEY (project_id, run_id, step_id, item);
ALTER TABLE ONLY bellhop.run_steps_default
    ADD CONSTRAINT run_steps_default_pkey PRIMARY KEY (project_id, run_id, step_id, item);
ALTER TABLE ONLY bellhop.runs
    ADD CONSTRAINT runs_pkey PRIMARY KEY (project_id, id);
ALTER TABLE ONLY bellhop.runs_default
    ADD CONSTRAINT runs_default_pkey PRIMARY KEY (project_id, id);
ALTER TABLE ONLY bellhop.secrets
    ADD CONSTRAINT secrets_pkey PRIMARY KEY (project_id, name);
ALTER TABLE ONLY bellhop.sessions
    ADD CONSTRAINT sessions_by_secret UNIQUE (secret_sha256);
ALTER TABLE ONLY bellhop.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (user_id, id);
ALTER TABLE ONLY bellhop.signing_keys
    ADD CONSTRAINT signing_keys_pkey PRIMARY KEY (kid);
ALTER TABLE ONLY bellhop.source_rejections
    ADD CONSTRAINT source_rejections_pkey PRIMARY KEY (project_id, id);
ALTER TABLE ONLY bellhop.source_rejections_default
    ADD CONSTRAINT source_rejections_default_pkey PRIMARY KEY (project_id, id);
ALTER TABLE ONLY bellhop.sources
    ADD CONSTRAINT sources_by_token UNIQUE (token);
ALTER TABLE ONLY bellhop.sources
    ADD CONSTRAINT sources_pkey PRIMARY KEY (project_id, id);
ALTER TABLE ONLY bellhop.token_families
    ADD CONSTRAINT token_families_pkey PRIMARY KEY (user_id, id);
ALTER TABLE ONLY bellhop.token_issuers
    ADD CONSTRAINT token_issuers_name_taken UNIQUE (project_id, name);
ALTER TABLE ONLY bellhop.token_issuers
    ADD CONSTRAINT token_issuers_pkey PRIMARY KEY (project_id, id);
ALTER TABLE ONLY bellhop.unrouted_events
    ADD CONSTRAINT unrouted_events_pkey PRIMARY KEY (project_id, event_id);
ALTER TABLE ONLY bellhop.user_identities
    ADD CONSTRAINT user_identities_pkey PRIMARY KEY (issuer, subject);
ALTER TABLE ONLY bellhop.users
    ADD CONSTRAINT users_email_taken UNIQUE (email_key);
ALTER TABLE ONLY bellhop.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);
ALTER TABLE ONLY bellhop.webhook_endpoints
    ADD CONSTRAINT webhook_endpoints_pkey PRIMARY KEY (project_id, id);
ALTER TABLE ONLY bellhop.workers
    ADD CONSTRAINT workers_pkey PRIMARY KEY (project_id, id);
CREATE UNIQUE INDEX api_keys_name_taken ON bellhop.api_keys USING btree (project_id, name) WHERE (revoked_at IS NULL);
CREATE INDEX api_keys_not_revoked ON bellhop.api_keys USING btree (project_id, id) WHERE (revoked_at IS NULL);
CREATE INDEX api_keys_revoked ON bellhop.api_keys USING btree (project_id, id) WHERE (revoked_at IS NOT NULL);
CREATE INDEX audit_entries_by_action ON bellhop.audit_entries USING btree (project_id, action, id);
CREATE INDEX audit_entries_by_actor ON bellhop.audit_entries USING btree (project_id, actor, id);
CREATE INDEX audit_entries_by_actor_and_action ON bellhop.audit_entries USING btree (project_id, actor, action, id);
CREATE INDEX audit_entries_by_target ON bellhop.audit_entries USING btree (project_id, target, id);
CREATE INDEX automations_by_state ON bellhop.automations USING btree (project_id, state, id) WHERE (deleted_at IS NULL);
CREATE UNIQUE INDEX automations_name_taken ON bellhop.automations USING btree (project_id, name) WHERE (deleted_at IS NULL);
CREATE INDEX connections_by_kind ON bellhop.connections USING btree (project_id, kind, id);
CREATE INDEX connections_by_secret ON bellhop.connections USING btree (project_id, secret_name) WHERE (secret_name IS NOT NULL);
CREATE INDEX deliveries_by_endpoint ON ONLY bellhop.deliveries USING btree (project_id, endpoint_id, id);
CREATE INDEX deliveries_by_endpoint_and_state ON ONLY bellhop.deliveries USING btree (project_id, endpoint_id, state, id) WHERE (state <> 'succeeded'::text);
CREATE INDEX deliveries_by_event ON ONLY bellhop.deliveries USING btree (project_id, event_id);
CREATE INDEX deliveries_by_state ON ONLY bellhop.deliveries USING btree (project_id, state, id) WHERE (state <> 'succeeded'::text);
CREATE INDEX deliveries_default_project_id_endpoint_id_id_idx ON bellhop.deliveries_default USING btree (project_id, endpoint_id, id);
CREATE INDEX deliveries_due ON ONLY bellhop.deliveries USING btree (project_id, endpoint_id, next_attempt_at, id) WHERE (state = ANY (ARRAY['pending'::text, 'sending'::text]));
CREATE INDEX deliveries_default_project_id_endpoint_id_next_attempt_at_i_idx ON bellhop.deliveries_default USING btree (project_id, endpoint_id, next_attempt_at, id) WHERE (state = ANY (ARRAY['pending'::text, 'sending'::text]));
CREATE INDEX deliveries_default_project_id_endpoint_id_state_id_idx ON bellhop.deliveries_default USING btree (project_id, endpoint_id, state, id) WHERE (state <> 'succeeded'::text);
CREATE INDEX deliveries_default_project_id_event_id_idx ON bellhop.deliveries_default USING btree (project_id, event_id);
CREATE INDEX deliveries_default_project_id_state_id_idx ON bellhop.deliveries_default USING btree (project_id, state, id) WHERE (state <> 'succeeded'::text);
CREATE INDEX events_by_type ON ONLY bellhop.events USING btree (project_id, type, id);
CREATE INDEX events_caused ON ONLY bellhop.events USING btree (project_id, caused_by_run) WHERE (caused_by_run IS NOT NULL);
CREATE INDEX events_default_project_id_caused_by_run_idx ON bellhop.events_default USING btree (project_id, caused_by_run) WHERE (caused_by_run IS NOT NULL);
CREATE INDEX events_default_project_id_type_id_idx ON bellhop.events_default USING btree (project_id, type, id);
CREATE INDEX idempotency_keys_by_age ON bellhop.idempotency_keys USING btree (created_at);
CREATE INDEX job_edges_by_child ON bellhop.job_edges USING btree (project_id, child_id);
CREATE INDEX job_history_by_end ON ONLY bellhop.job_history USING btree (uuid_hash(project_id), (finished_at AT TIME ZONE 'UTC'::text));
CREATE INDEX job_history_by_lane ON ONLY bellhop.job_history USING btree (project_id, lane, id) WHERE (lane IS NOT NULL);
CREATE INDEX job_history_by_tag ON ONLY bellhop.job_history USING gin (bellhop.tag_keys(project_id, tags)) WHERE (tags IS NOT NULL);
CREATE INDEX job_history_not_succeeded_by_kind ON ONLY bellhop.job_history USING btree (project_id, kind, id) INCLUDE (queue_id, outcome) WHERE (outcome <> 0);
CREATE INDEX job_history_default_project_id_kind_id_queue_id_outcome_idx ON bellhop.job_history_default USING btree (project_id, kind, id) INCLUDE (queue_id, outcome) WHERE (outcome <> 0);
CREATE INDEX job_history_default_project_id_lane_id_idx ON bellhop.job_history_default USING btree (project_id, lane, id) WHERE (lane IS NOT NULL);
CREATE INDEX job_history_not_succeeded ON ONLY bellhop.job_history USING btree (project_id, outcome, id) INCLUDE (queue_id, kind) WHERE (outcome <> 0);
CREATE INDEX job_history_default_project_id_outcome_id_queue_id_kind_idx ON bellhop.job_history_default USING btree (project_id, outcome, id) INCLUDE (queue_id, kind) WHERE (outcome <> 0);
CREATE INDEX job_history_not_succeeded_by_queue ON ONLY bellhop.job_history USING btree (project_id, queue_id, id) INCLUDE (kind, outcome) WHERE (outcome <> 0);
CREATE INDEX job_history_default_project_id_queue_id_id_kind_outcome_idx ON bellhop.job_history_default USING btree (project_id, queue_id, id) INCLUDE (kind, outcome) WHERE (outcome <> 0);
CREATE INDEX job_history_default_tag_keys_idx ON bellhop.job_history_default USING gin (bellhop.tag_keys(project_id, tags)) WHERE (tags IS NOT NULL);
CREATE INDEX job_history_default_uuid_hash_timezone_idx ON bellhop.job_history_default USING btree (uuid_hash(project_id), (finished_at AT TIME ZONE 'UTC'::text));
CREATE INDEX job_keys_by_job ON bellhop.job_keys USING btree (project_id, job_id);
CREATE INDEX job_keys_expiring ON bellhop.job_keys USING btree (expires_at) WHERE (expires_at < 'infinity'::timestamp with time zone);
CREATE INDEX jobs_by_lane ON bellhop.jobs USING btree (project_id, lane, id) WHERE (lane IS NOT NULL);
CREATE INDEX jobs_by_tag ON bellhop.jobs USING gin (bellhop.tag_keys(project_id, tags)) WHERE (tags IS NOT NULL);
CREATE INDEX jobs_by_worker ON bellhop.jobs USING btree (worker_id, claim_key) WHERE ((claim_key IS NOT NULL) AND (state = 2));
CREATE INDEX jobs_cancel_requested ON bellhop.jobs USING btree (cancel_requested_at) WHERE (cancel_requested_at IS NOT NULL);
CREATE INDEX jobs_lane_held ON bellhop.jobs USING btree (queue_id, lane) WHERE ((lane IS NOT NULL) AND (state > 0));
CREATE INDEX jobs_lane_in_order ON bellhop.jobs USING btree (queue_id, lane, seq) WHERE ((state = 0) AND (wait_reason = 1));
CREATE INDEX jobs_lane_waiting ON bellhop.jobs USING btree (queue_id, lane, priority, run_at, seq) WHERE ((state = 0) AND (wait_reason = 1));
CREATE UNIQUE INDEX jobs_one_of ON bellhop.jobs USING btree (project_id, kind, one_of) WHERE (one_of IS NOT NULL);
CREATE INDEX jobs_otherwise_waiting ON bellhop.jobs USING btree (queue_id, wait_reason) WHERE ((state = 0) AND (wait_reason > 1));
CREATE INDEX jobs_parent_waiting ON bellhop.jobs USING btree (project_id, id) WHERE ((state = 0) AND (wait_reason = 2));
CREATE INDEX jobs_ready ON bellhop.jobs USING btree (queue_id, priority, run_at, seq) WHERE (state = 1);
CREATE INDEX jobs_running ON bellhop.jobs USING btree (queue_id) WHERE (state = 2);
CREATE INDEX jobs_start_before ON bellhop.jobs USING btree (start_before) WHERE ((start_before IS NOT NULL) AND (state < 2));
CREATE INDEX jobs_waiting ON bellhop.jobs USING btree (project_id, id) WHERE (state = 0);
CREATE INDEX memberships_by_user ON bellhop.memberships USING btree (user_id);
CREATE INDEX one_time_tokens_by_end ON bellhop.one_time_tokens USING btree (expires_at);
CREATE INDEX one_time_tokens_by_project ON bellhop.one_time_tokens USING btree (project_id, id) WHERE (used_at IS NULL);
CREATE UNIQUE INDEX one_time_tokens_open ON bellhop.one_time_tokens USING btree (purpose, email_key, project_id) NULLS NOT DISTINCT WHERE (used_at IS NULL);
CREATE INDEX queues_by_name ON bellhop.queues USING btree (name, project_id);
CREATE UNIQUE INDEX queues_name_taken ON bellhop.queues USING btree (project_id, name) WHERE (deleted_at IS NULL);
CREATE INDEX refresh_tokens_by_family ON bellhop.refresh_tokens USING btree (user_id, family_id);
CREATE INDEX runs_by_automation ON ONLY bellhop.runs USING btree (project_id, automation_id, id);
CREATE INDEX runs_by_automation_and_state ON ONLY bellhop.runs USING btree (project_id, automation_id, state, id) WHERE (state <> 'succeeded'::text);
CREATE INDEX runs_by_event ON ONLY bellhop.runs USING btree (project_id, event_id);
CREATE INDEX runs_by_state ON ONLY bellhop.runs USING btree (project_id, state, id) WHERE (state <> 'succeeded'::text);
CREATE INDEX runs_default_project_id_automation_id_id_idx ON bellhop.runs_default USING btree (project_id, automation_id, id);
CREATE INDEX runs_default_project_id_automation_id_state_id_idx ON bellhop.runs_default USING btree (project_id, automation_id, state, id) WHERE (state <> 'succeeded'::text);
CREATE INDEX runs_default_project_id_event_id_idx ON bellhop.runs_default USING btree (project_id, event_id);
CREATE INDEX runs_default_project_id_state_id_idx ON bellhop.runs_default USING btree (project_id, state, id) WHERE (state <> 'succeeded'::text);
CREATE INDEX sessions_by_end ON bellhop.sessions USING btree (expires_at);
CREATE UNIQUE INDEX signing_keys_one_current ON bellhop.signing_keys USING btree (state) WHERE (state = 'current'::text);
CREATE UNIQUE INDEX signing_keys_one_next ON bellhop.signing_keys USING btree (state) WHERE (state = 'next'::text);
CREATE INDEX source_rejections_by_source ON ONLY bellhop.source_rejections USING btree (project_id, source_id, id);
CREATE INDEX source_rejections_default_project_id_source_id_id_idx ON bellhop.source_rejections_default USING btree (project_id, source_id, id);
CREATE UNIQUE INDEX sources_name_taken ON bellhop.sources USING btree (project_id, name) WHERE (deleted_at IS NULL);
CREATE INDEX token_families_by_end ON bellhop.token_families USING btree (expires_at);
CREATE INDEX token_families_ended ON bellhop.token_families USING btree (ended_at) WHERE (ended_at IS NOT NULL);
CREATE INDEX token_issuers_by_issuer ON bellhop.token_issuers USING btree (issuer);
CREATE INDEX user_identities_by_user ON bellhop.user_identities USING btree (user_id);
CREATE UNIQUE INDEX webhook_endpoints_name_taken ON bellhop.webhook_endpoints USING btree (project_id, name) WHERE (deleted_at IS NULL);
CREATE UNIQUE INDEX workers_by_key ON bellhop.workers USING btree (project_id, key);
CREATE INDEX workers_last_seen ON bellhop.workers USING btree (last_seen_at);
ALTER INDEX bellhop.deliveries_pkey ATTACH PARTITION bellhop.deliveries_default_pkey;
ALTER INDEX bellhop.deliveries_by_endpoint ATTACH PARTITION bellhop.deliveries_default_project_id_endpoint_id_id_idx;
ALTER INDEX bellhop.deliveries_due ATTACH PARTITION bellhop.deliveries_default_project_id_endpoint_id_next_attempt_at_i_idx;
ALTER INDEX bellhop.deliveries_by_endpoint_and_state ATTACH PARTITION bellhop.deliveries_default_project_id_endpoint_id_state_id_idx;
ALTER INDEX bellhop.deliveries_by_event ATTACH PARTITION bellhop.deliveries_default_project_id_event_id_idx;
ALTER INDEX bellhop.deliveries_by_state ATTACH PARTITION bellhop.deliveries_default_project_id_state_id_idx;
ALTER INDEX bellhop.delivery_attempts_pkey ATTACH PARTITION bellhop.delivery_attempts_default_pkey;
ALTER INDEX bellhop.events_pkey ATTACH PARTITION bellhop.events_default_pkey;
ALTER INDEX bellhop.events_caused ATTACH PARTITION bellhop.events_default_project_id_caused_by_run_idx;
ALTER INDEX bellhop.events_by_type ATTACH PARTITION bellhop.events_default_project_id_type_id_idx;
ALTER INDEX bellhop.job_attempts_pkey ATTACH PARTITION bellhop.job_attempts_default_pkey;
ALTER INDEX bellhop.job_history_pkey ATTACH PARTITION bellhop.job_history_default_pkey;
ALTER INDEX bellhop.job_history_not_succeeded_by_kind ATTACH PARTITION bellhop.job_history_default_project_id_kind_id_queue_id_outcome_idx;
ALTER INDEX bellhop.job_history_by_lane ATTACH PARTITION bellhop.job_history_default_project_id_lane_id_idx;
ALTER INDEX bellhop.job_history_not_succeeded ATTACH PARTITION bellhop.job_history_default_project_id_outcome_id_queue_id_kind_idx;
ALTER INDEX bellhop.job_history_not_succeeded_by_queue ATTACH PARTITION bellhop.job_history_default_project_id_queue_id_id_kind_outcome_idx;
ALTER INDEX bellhop.job_history_by_tag ATTACH PARTITION bellhop.job_history_default_tag_keys_idx;
ALTER INDEX bellhop.job_history_by_end ATTACH PARTITION bellhop.job_history_default_uuid_hash_timezone_idx;
ALTER INDEX bellhop.job_logs_pkey ATTACH PARTITION bellhop.job_logs_default_pkey;
ALTER INDEX bellhop.queue_minutes_pkey ATTACH PARTITION bellhop.queue_minutes_default_pkey;
ALTER INDEX bellhop.run_steps_pkey ATTACH PARTITION bellhop.run_steps_default_pkey;
ALTER INDEX bellhop.runs_pkey ATTACH PARTITION bellhop.runs_default_pkey;
ALTER INDEX bellhop.runs_by_automation ATTACH PARTITION bellhop.runs_default_project_id_automation_id_id_idx;
ALTER INDEX bellhop.runs_by_automation_and_state ATTACH PARTITION bellhop.runs_default_project_id_automation_id_state_id_idx;
ALTER INDEX bellhop.runs_by_event ATTACH PARTITION bellhop.runs_default_project_id_event_id_idx;
ALTER INDEX bellhop.runs_by_state ATTACH PARTITION bellhop.runs_default_project_id_state_id_idx;
ALTER INDEX bellhop.source_rejections_pkey ATTACH PARTITION bellhop.source_rejections_default_pkey;
ALTER INDEX bellhop.source_rejections_by_source ATTACH PARTITION bellhop.source_rejections_default_project_id_source_id_id_idx;
CREATE TRIGGER audit_entries_marked AFTER INSERT ON bellhop.audit_entries REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION bellhop.mark_unlinked();
ALTER TABLE ONLY bellhop.connections
    ADD CONSTRAINT connections_secret_exists FOREIGN KEY (project_id, secret_name) REFERENCES bellhop.secrets(project_id, name);
ALTER TABLE ONLY bellhop.memberships
    ADD CONSTRAINT memberships_user_id_fkey FOREIGN KEY (user_id) REFERENCES bellhop.users(id);
ALTER TABLE ONLY bellhop.recovery_codes
    ADD CONSTRAINT recovery_codes_user_id_fkey FOREIGN KEY (user_id) REFERENCES bellhop.users(id);
ALTER TABLE ONLY bellhop.refresh_tokens
    ADD CONSTRAINT refresh_tokens_user_id_family_id_fkey FOREIGN KEY (user_id, family_id) REFERENCES bellhop.token_families(user_id, id) ON DELETE CASCADE;
ALTER TABLE ONLY bellhop.sessions
    ADD CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES bellhop.users(id);
ALTER TABLE ONLY bellhop.token_families
    ADD CONSTRAINT token_families_user_id_fkey FOREIGN KEY (user_id) REFERENCES bellhop.users(id);
ALTER TABLE ONLY bellhop.user_identities
    ADD CONSTRAINT user_identities_user_id_fkey FOREIGN KEY (user_id) REFERENCES bellhop.users(id);
GRANT USAGE ON SCHEMA bellhop TO bellhop_app;
REVOKE ALL ON FUNCTION bellhop.analyze_jobs() FROM PUBLIC;
GRANT ALL ON FUNCTION bellhop.analyze_jobs() TO bellhop_app;
REVOKE ALL ON FUNCTION bellhop.drop_job_partition(before date) FROM PUBLIC;
GRANT ALL ON FUNCTION bellhop.drop_job_partition(before date) TO bellhop_app;
REVOKE ALL ON FUNCTION bellhop.enqueue(project uuid, queue text, kind text, args json, run_at timestamp with time zone, priority integer, lane text, unique_key text, unique_until text, unique_seconds integer, on_conflict text, tags text[], start_before timestamp with time zone, max_attempts integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION bellhop.make_partitions(until date) FROM PUBLIC;
GRANT ALL ON FUNCTION bellhop.make_partitions(until date) TO bellhop_app;
REVOKE ALL ON FUNCTION bellhop.partition_by_day(parent text, partition_key text) FROM PUBLIC;
REVOKE ALL ON FUNCTION bellhop.settled_at() FROM PUBLIC;
GRANT ALL ON FUNCTION bellhop.settled_at() TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.api_keys TO bellhop_app;
GRANT SELECT,INSERT ON TABLE bellhop.audit_entries TO bellhop_app;
GRANT SELECT,INSERT,UPDATE ON TABLE bellhop.audit_heads TO bellhop_app;
GRANT SELECT,INSERT ON TABLE bellhop.audit_links TO bellhop_app;
GRANT SELECT,INSERT,DELETE ON TABLE bellhop.audit_unlinked TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.automation_versions TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.automations TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.connections TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.deliveries TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.deliveries_default TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.delivery_attempts TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.delivery_attempts_default TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.delivery_sequences TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.event_keys TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.events TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.events_default TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.idempotency_keys TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.job_attempts TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.job_attempts_default TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.job_edges TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.job_history TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.job_history_default TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.job_keys TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.job_logs TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.job_logs_default TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.jobs TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.key_ring_ids TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.login_throttles TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.memberships TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.one_time_tokens TO bellhop_app;
GRANT SELECT ON TABLE bellhop.partitioned_tables TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.projects TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.queue_minutes TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.queue_minutes_default TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.queue_rates TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.queues TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.recovery_codes TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.refresh_tokens TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.rules_versions TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.run_steps TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.run_steps_default TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.runs TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.runs_default TO bellhop_app;
GRANT SELECT ON TABLE bellhop.schema_versions TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.secrets TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.sessions TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.signing_keys TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.source_rejections TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.source_rejections_default TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.sources TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.token_families TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.token_issuers TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.unrouted_events TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.user_identities TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.users TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.webhook_endpoints TO bellhop_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE bellhop.workers TO bellhop_app;
