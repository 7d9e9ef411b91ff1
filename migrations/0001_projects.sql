-- Projects are the wall: every row of every other table belongs to one.
CREATE TABLE projects (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT projects_name_taken UNIQUE (name)
);

-- Raised by whoever changes what an event may cause. A row of its own, so that accepting an event never locks it.
CREATE TABLE rules_versions (
    project_id uuid PRIMARY KEY,
    version bigint NOT NULL DEFAULT 1
) WITH (fillfactor = 50);

CREATE TABLE api_keys (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    key_id text NOT NULL,
    name text NOT NULL,
    secret_sha256 bytea NOT NULL,
    role text NOT NULL,
    scopes text[],
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    PRIMARY KEY (project_id, id),
    CONSTRAINT api_keys_name_taken UNIQUE (project_id, name),
    -- a caller shows its key before its project is known
    CONSTRAINT api_keys_by_key_id UNIQUE (key_id)
);

-- The ids of the key ring that sealed this database's secrets, so that an instance without one of them refuses to start.
CREATE TABLE key_ring_ids (
    kid text PRIMARY KEY,
    check_value bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- A version 7 UUID (RFC 9562) for rows that a statement makes by itself.
CREATE FUNCTION new_id() RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
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
