-- Configuration can be changed and deleted. A deleted row stays, for what refers to it, and its name is free again.
ALTER TABLE automations
    ADD COLUMN deleted_at timestamptz,
    DROP CONSTRAINT automations_name_taken;
CREATE UNIQUE INDEX automations_name_taken ON automations (project_id, name) WHERE deleted_at IS NULL;

ALTER TABLE webhook_endpoints
    ADD COLUMN revision integer NOT NULL DEFAULT 1,
    ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN deleted_at timestamptz,
    DROP CONSTRAINT webhook_endpoints_name_taken;
CREATE UNIQUE INDEX webhook_endpoints_name_taken ON webhook_endpoints (project_id, name) WHERE deleted_at IS NULL;

ALTER TABLE sources
    ADD COLUMN revision integer NOT NULL DEFAULT 1,
    ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN deleted_at timestamptz,
    DROP CONSTRAINT sources_name_taken;
CREATE UNIQUE INDEX sources_name_taken ON sources (project_id, name) WHERE deleted_at IS NULL;

-- What requests with an Idempotency-Key were answered, kept for a day.
CREATE TABLE idempotency_keys (
    project_id uuid NOT NULL,
    key_sha256 bytea NOT NULL, -- of method, path and key
    request_sha256 bytea NOT NULL,
    answer text NOT NULL, -- sealed
    created_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, key_sha256)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO bellhop_app;
