-- Columns whose comment is "sealed" hold what the key ring encrypted. A test compares them with the columns that rotation visits.
COMMENT ON COLUMN sources.secrets IS 'sealed';
COMMENT ON COLUMN webhook_endpoints.secrets IS 'sealed';
COMMENT ON COLUMN idempotency_keys.answer IS 'sealed';

-- Since when no row needs the key: the ring may do without it.
ALTER TABLE key_ring_ids ADD COLUMN retired_at timestamptz;

-- Known by name and never renamed: a step says secrets.<name>.
CREATE TABLE secrets (
    project_id uuid NOT NULL,
    name text NOT NULL,
    value text NOT NULL,
    revision integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz, -- to the minute
    PRIMARY KEY (project_id, name)
);
COMMENT ON COLUMN secrets.value IS 'sealed';

CREATE TABLE connections (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('http', 'postgresql', 'mysql', 'smtp', 's3', 'llm')),
    config json NOT NULL,
    secret_name text, -- either a named secret
    secret text, -- or one of its own
    revision integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id),
    CONSTRAINT connections_name_taken UNIQUE (project_id, name),
    -- a secret that is in use cannot go, whichever of the two was first
    CONSTRAINT connections_secret_exists FOREIGN KEY (project_id, secret_name) REFERENCES secrets (project_id, name),
    CONSTRAINT connections_one_secret CHECK (secret_name IS NULL OR secret IS NULL)
);
CREATE INDEX connections_by_secret ON connections (project_id, secret_name) WHERE secret_name IS NOT NULL;
COMMENT ON COLUMN connections.secret IS 'sealed';

GRANT SELECT, INSERT, UPDATE, DELETE ON secrets, connections TO bellhop_app;
