-- Who changed what, when and from where. The running role adds rows and reads them; it can neither change nor remove one.
CREATE TABLE audit_entries (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    actor text NOT NULL, -- user:ada@example.com, key:shop, cli:root, …
    actor_id uuid, -- of the user or key
    method text NOT NULL, -- how the actor was proven
    address inet,
    request_id text,
    action text NOT NULL, -- connections.update
    target text NOT NULL, -- connections/crm
    target_id uuid,
    before json, -- secrets are not in it
    after json,
    PRIMARY KEY (project_id, id)
);
CREATE INDEX audit_entries_by_actor ON audit_entries (project_id, actor, id);
CREATE INDEX audit_entries_by_action ON audit_entries (project_id, action, id);
CREATE INDEX audit_entries_by_target ON audit_entries (project_id, target, id);

-- Entries that no link holds yet. Marked as they are written, whoever writes them: one that commits late is found as well, and what
-- is linked is never looked at again.
CREATE TABLE audit_unlinked (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    PRIMARY KEY (project_id, id)
);
CREATE FUNCTION mark_unlinked() RETURNS trigger
LANGUAGE plpgsql SET search_path = bellhop, pg_temp AS $$
BEGIN
    INSERT INTO audit_unlinked (project_id, id) SELECT project_id, id FROM added;
    RETURN NULL;
END
$$;
CREATE TRIGGER audit_entries_marked
    AFTER INSERT ON audit_entries REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION mark_unlinked();

-- The chain: each link holds the hash of its entry and of the link before. Closed by a duty, seconds after the entry.
CREATE TABLE audit_links (
    project_id uuid NOT NULL,
    seq bigint NOT NULL,
    entry_id uuid NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (project_id, seq),
    CONSTRAINT audit_links_once UNIQUE (project_id, entry_id)
);

-- The last link, sealed by the key ring: who only has the database cannot shorten the chain unseen.
CREATE TABLE audit_heads (
    project_id uuid PRIMARY KEY,
    seq bigint NOT NULL,
    hash bytea NOT NULL,
    seal text NOT NULL
);
COMMENT ON COLUMN audit_heads.seal IS 'sealed';

GRANT SELECT, INSERT, DELETE ON audit_unlinked TO bellhop_app;
GRANT SELECT, INSERT ON audit_entries, audit_links TO bellhop_app;
GRANT SELECT, INSERT, UPDATE ON audit_heads TO bellhop_app;
