-- Partitions a day. The running role may not create tables: it calls make_partitions, which knows a closed list of parents.
CREATE TABLE partitioned_tables (
    name text PRIMARY KEY,
    partition_key text NOT NULL CHECK (partition_key IN ('id', 'time'))
);

-- The smallest version 7 UUID of a moment: its 48 bits of milliseconds, then zeros.
CREATE FUNCTION first_id_at(moment timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

CREATE FUNCTION id_time(id uuid) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT to_timestamp(('x' || lpad(left(replace(id::text, '-', ''), 12), 16, '0'))::bit(64)::bigint / 1000.0)
$$;

-- Makes what is missing between two days before today and `until`; answers how many were made.
-- CREATE TABLE … LIKE and ATTACH, since CREATE TABLE … PARTITION OF would lock the parent against everyone.
CREATE FUNCTION make_partitions(until date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = bellhop, pg_temp AS $$
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

CREATE FUNCTION partition_column(parent text) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT a.attname::text
    FROM pg_partitioned_table p
    JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
    WHERE p.partrelid = to_regclass(format('bellhop.%I', parent))
$$;

-- Makes a table partitioned by day: lists it, and gives it the partition that takes what no day holds.
CREATE FUNCTION partition_by_day(parent text, partition_key text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO partitioned_tables (name, partition_key) VALUES (parent, partition_key);
    EXECUTE format('CREATE TABLE bellhop.%I PARTITION OF bellhop.%I DEFAULT', parent || '_default', parent);
END
$$;
