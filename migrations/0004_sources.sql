CREATE TABLE sources (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    scheme text NOT NULL,
    token text NOT NULL,
    secrets text[] NOT NULL, -- sealed
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id),
    CONSTRAINT sources_name_taken UNIQUE (project_id, name),
    -- a request to /in/{token} arrives before its project is known
    CONSTRAINT sources_by_token UNIQUE (token)
);

-- Requests that were refused, kept with the reason: at most one row a second and source, the rest are counted on it.
CREATE TABLE source_rejections (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    source_id uuid NOT NULL,
    rejected_at timestamptz NOT NULL,
    reason text NOT NULL,
    detail text,
    headers json NOT NULL,
    body bytea NOT NULL, -- the first 64 KiB
    body_bytes integer NOT NULL,
    also_rejected integer NOT NULL DEFAULT 0,
    PRIMARY KEY (project_id, id)
) PARTITION BY RANGE (id);
CREATE INDEX source_rejections_by_source ON source_rejections (project_id, source_id, id);
SELECT partition_by_day('source_rejections', 'id');
