-- The list of keys by whether they are revoked: either may be one in a thousand.
CREATE INDEX api_keys_revoked ON api_keys (project_id, id) WHERE revoked_at IS NOT NULL;
CREATE INDEX api_keys_not_revoked ON api_keys (project_id, id) WHERE revoked_at IS NULL;

-- What somebody who does much did seldom.
CREATE INDEX audit_entries_by_actor_and_action ON audit_entries (project_id, actor, action, id);
