CREATE INDEX connections_by_kind ON connections (project_id, kind, id);
