-- Every list has an index for each of its filters. `succeeded` is how most end, and is found on the way.
CREATE INDEX runs_by_state ON runs (project_id, state, id) WHERE state <> 'succeeded';
CREATE INDEX runs_by_automation_and_state ON runs (project_id, automation_id, state, id) WHERE state <> 'succeeded';

DROP INDEX deliveries_undelivered;
CREATE INDEX deliveries_by_state ON deliveries (project_id, state, id) WHERE state <> 'succeeded';
CREATE INDEX deliveries_by_endpoint_and_state ON deliveries (project_id, endpoint_id, state, id) WHERE state <> 'succeeded';

CREATE INDEX automations_by_state ON automations (project_id, state, id) WHERE deleted_at IS NULL;

CREATE INDEX jobs_waiting ON jobs (project_id, id) WHERE state = 0;
