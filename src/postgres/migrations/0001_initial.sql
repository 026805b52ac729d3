-- Schema 1. Everything lives in the schema "latchkey" (made by the migrator), and every name is written out, so that no
-- search_path can divert it.

-- What this schema is, and the oldest binary that it still serves. A later migration updates this row.
CREATE TABLE latchkey.schema_version (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  version integer NOT NULL CHECK (version > 0),
  min_binary_schema integer NOT NULL CHECK (min_binary_schema > 0)
);
INSERT INTO latchkey.schema_version (version, min_binary_schema) VALUES (1, 1);

CREATE TABLE latchkey.organizations (
  id text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  name text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 200),
  plan text CHECK (length(plan) BETWEEN 1 AND 64),
  created_at timestamptz NOT NULL DEFAULT now(),
  disabled_at timestamptz CHECK (isfinite(disabled_at))
);

CREATE TABLE latchkey.users (
  id text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  organization_id text NOT NULL REFERENCES latchkey.organizations (id),
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  email text CHECK (length(email) BETWEEN 3 AND 320),
  role text NOT NULL CHECK (role IN ('member', 'org_admin', 'super_admin')),
  created_at timestamptz NOT NULL DEFAULT now(),
  disabled_at timestamptz CHECK (isfinite(disabled_at)),
  UNIQUE (organization_id, id)
);
CREATE UNIQUE INDEX users_email_key ON latchkey.users (lower(email));

-- Without a subquery a check constraint cannot look into an array.
CREATE FUNCTION latchkey.are_cidrs(entries text[]) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM entry::cidr FROM unnest(entries) AS t(entry);
  RETURN array_position(entries, NULL) IS NULL;
EXCEPTION WHEN invalid_text_representation THEN
  RETURN false;
END
$$;

CREATE TABLE latchkey.api_keys (
  id text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  organization_id text NOT NULL REFERENCES latchkey.organizations (id),
  owner_id text,
  environment text NOT NULL CHECK (length(environment) BETWEEN 1 AND 32),
  scopes text[] NOT NULL DEFAULT '{}'
    CHECK (cardinality(scopes) <= 256 AND array_position(scopes, NULL) IS NULL),
  plan text CHECK (length(plan) BETWEEN 1 AND 64),
  allowed_cidrs text[] NOT NULL DEFAULT '{}'
    CHECK (cardinality(allowed_cidrs) <= 256 AND latchkey.are_cidrs(allowed_cidrs)),
  metadata jsonb NOT NULL DEFAULT '{}'
    CHECK (jsonb_typeof(metadata) = 'object' AND pg_column_size(metadata) <= 16384),
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz CHECK (isfinite(expires_at)),
  disabled_at timestamptz CHECK (isfinite(disabled_at)),
  revoked_at timestamptz CHECK (isfinite(revoked_at)),
  last_used_at timestamptz,
  last_used_address text CHECK (length(last_used_address) <= 45),
  -- The owner is one of the same organization: no key can act in a tenant that its owner does not belong to.
  FOREIGN KEY (organization_id, owner_id) REFERENCES latchkey.users (organization_id, id) ON UPDATE CASCADE
);
CREATE INDEX api_keys_organization_id ON latchkey.api_keys (organization_id, id);
CREATE INDEX api_keys_owner_id ON latchkey.api_keys (owner_id, id);

CREATE TABLE latchkey.api_key_secrets (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  key_id text NOT NULL REFERENCES latchkey.api_keys (id) ON DELETE CASCADE,
  digest bytea NOT NULL CHECK (octet_length(digest) = 32),
  pepper_version smallint NOT NULL CHECK (pepper_version >= 0),
  start text NOT NULL CHECK (length(start) <= 64),
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz CHECK (isfinite(expires_at)),
  UNIQUE (digest, pepper_version)
);
CREATE INDEX api_key_secrets_key_id ON latchkey.api_key_secrets (key_id);

CREATE TABLE latchkey.sessions (
  id text PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 64),
  user_id text NOT NULL REFERENCES latchkey.users (id) ON DELETE CASCADE,
  digest bytea NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
  created_at timestamptz NOT NULL DEFAULT now(),
  last_active_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL CHECK (isfinite(expires_at)),
  ended_at timestamptz CHECK (isfinite(ended_at))
);
CREATE INDEX sessions_user_id ON latchkey.sessions (user_id);

CREATE TABLE latchkey.audit_log (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  actor text NOT NULL CHECK (length(actor) BETWEEN 1 AND 200),
  verb text NOT NULL CHECK (length(verb) BETWEEN 1 AND 64),
  object_kind text NOT NULL,
  object_id text NOT NULL,
  organization_id text,
  details jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_log_object ON latchkey.audit_log (object_kind, object_id, id);

-- Who follows the change log, and how far it has come.
CREATE TABLE latchkey.replicas (
  id text PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 64),
  name text NOT NULL CHECK (length(name) <= 200),
  epoch text NOT NULL,
  version bigint NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

-- The change log. Versions come from one row that is updated in the same transaction as the change: its row lock is
-- held to the commit, so versions become visible in their own order and without a gap (a sequence gives neither).
CREATE TABLE latchkey.change_version (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  version bigint NOT NULL
) WITH (fillfactor = 10);
INSERT INTO latchkey.change_version (version) VALUES (0);

CREATE TABLE latchkey.change_log (
  version bigint PRIMARY KEY,
  subject text NOT NULL,
  created boolean NOT NULL,
  nonce uuid NOT NULL DEFAULT gen_random_uuid(),
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Names the history that versions belong to: the cluster (a restored dump is another one), its timeline (a promoted
-- standby starts a new one) and the database within it. The timeline comes from the write position, since the control
-- file still shows the old one for a moment after a promotion. NULL on a standby, which has no write position.
CREATE FUNCTION latchkey.epoch() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE WHEN NOT pg_is_in_recovery() THEN
    (SELECT system_identifier::text FROM pg_control_system())
    || ':' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)
    || ':' || (SELECT oid::text FROM pg_database WHERE datname = current_database())
  END
$$;

-- Appends one row per subject, under consecutive versions taken by one update of the counter. Beyond 1000 subjects one
-- row says "all", for a follower that forgets everything is faster than one that looks for each. At most 1001 subjects
-- need to be passed in. Old rows go when the counter passes a multiple of 1000, oldest first, so that no job has to
-- run for it: a follower that was away for more than a day starts over anyway.
CREATE FUNCTION latchkey.log_changes(subjects text[], created boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  counted integer := cardinality(subjects);
  newest bigint;
BEGIN
  IF counted = 0 THEN RETURN; END IF;
  IF counted > 1000 THEN
    subjects := ARRAY['all'];
    counted := 1;
    created := true;
  END IF;
  UPDATE latchkey.change_version SET version = version + counted RETURNING version INTO STRICT newest;
  INSERT INTO latchkey.change_log (version, subject, created)
    SELECT newest - counted + place, subject, log_changes.created
    FROM unnest(subjects) WITH ORDINALITY AS t(subject, place);
  IF (newest - counted) / 1000 <> newest / 1000 THEN
    DELETE FROM latchkey.change_log WHERE version <= (
      SELECT max(version) FROM latchkey.change_log
      WHERE at < clock_timestamp() - interval '24 hours' AND version < newest
    );
  END IF;
  PERFORM pg_notify('latchkey_changes', newest::text);
END
$$;

-- Statement triggers with transition tables: one update of the counter for each statement, however many rows it has
-- (a trigger for each row would rewrite the counter once per row). SECURITY DEFINER: who may write a key need not be
-- able to write the log by itself. last_used_* is left out by name, so that any column added later counts by default.

CREATE FUNCTION latchkey.on_keys_inserted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM latchkey.log_changes(ARRAY(SELECT 'key:' || id FROM new_rows LIMIT 1001), true);
  RETURN NULL;
END
$$;

CREATE FUNCTION latchkey.on_keys_updated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM latchkey.log_changes(ARRAY(
    SELECT DISTINCT 'key:' || (changed.fields ->> 'id') FROM (
      (SELECT to_jsonb(o) - '{last_used_at,last_used_address}'::text[] FROM old_rows o
        EXCEPT SELECT to_jsonb(n) - '{last_used_at,last_used_address}'::text[] FROM new_rows n)
      UNION ALL
      (SELECT to_jsonb(n) - '{last_used_at,last_used_address}'::text[] FROM new_rows n
        EXCEPT SELECT to_jsonb(o) - '{last_used_at,last_used_address}'::text[] FROM old_rows o)
    ) AS changed(fields) LIMIT 1001), false);
  RETURN NULL;
END
$$;

CREATE FUNCTION latchkey.on_keys_deleted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM latchkey.log_changes(ARRAY(SELECT 'key:' || id FROM old_rows LIMIT 1001), false);
  RETURN NULL;
END
$$;

CREATE FUNCTION latchkey.on_secrets_inserted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM latchkey.log_changes(ARRAY(SELECT DISTINCT 'key:' || key_id FROM new_rows LIMIT 1001), true);
  RETURN NULL;
END
$$;

-- `created`: the update may have given a key a digest that was known to be absent.
CREATE FUNCTION latchkey.on_secrets_updated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM latchkey.log_changes(ARRAY(
    SELECT DISTINCT 'key:' || (changed.fields ->> 'key_id') FROM (
      (SELECT to_jsonb(o) FROM old_rows o EXCEPT SELECT to_jsonb(n) FROM new_rows n)
      UNION ALL
      (SELECT to_jsonb(n) FROM new_rows n EXCEPT SELECT to_jsonb(o) FROM old_rows o)
    ) AS changed(fields) LIMIT 1001), true);
  RETURN NULL;
END
$$;

CREATE FUNCTION latchkey.on_secrets_deleted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM latchkey.log_changes(ARRAY(SELECT DISTINCT 'key:' || key_id FROM old_rows LIMIT 1001), false);
  RETURN NULL;
END
$$;

-- A user stands for itself and for the keys it owns. The counter is locked before those are looked up: a key that
-- another transaction is just adding would otherwise be missed, and stay cached with the user's old state.
CREATE FUNCTION latchkey.log_users(user_ids text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF cardinality(user_ids) = 0 THEN RETURN; END IF;
  PERFORM 1 FROM latchkey.change_version FOR UPDATE;
  PERFORM latchkey.log_changes(ARRAY(
    SELECT 'user:' || id FROM unnest(user_ids) AS t(id)
    UNION ALL SELECT 'key:' || id FROM latchkey.api_keys WHERE owner_id = ANY (user_ids)
    LIMIT 1001), false);
END
$$;

CREATE FUNCTION latchkey.on_users_updated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM latchkey.log_users(ARRAY(
    SELECT DISTINCT changed.fields ->> 'id' FROM (
      (SELECT to_jsonb(o) FROM old_rows o EXCEPT SELECT to_jsonb(n) FROM new_rows n)
      UNION ALL
      (SELECT to_jsonb(n) FROM new_rows n EXCEPT SELECT to_jsonb(o) FROM old_rows o)
    ) AS changed(fields) LIMIT 1001));
  RETURN NULL;
END
$$;

CREATE FUNCTION latchkey.on_users_deleted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM latchkey.log_users(ARRAY(SELECT id FROM old_rows LIMIT 1001));
  RETURN NULL;
END
$$;

CREATE FUNCTION latchkey.on_users_inserted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM latchkey.log_changes(ARRAY(SELECT 'user:' || id FROM new_rows LIMIT 1001), true);
  RETURN NULL;
END
$$;

-- An organization stands for its keys and its users; by itself it is no subject.
CREATE FUNCTION latchkey.log_organizations(organization_ids text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF cardinality(organization_ids) = 0 THEN RETURN; END IF;
  PERFORM 1 FROM latchkey.change_version FOR UPDATE;
  PERFORM latchkey.log_changes(ARRAY(
    SELECT 'user:' || id FROM latchkey.users WHERE organization_id = ANY (organization_ids)
    UNION ALL SELECT 'key:' || id FROM latchkey.api_keys WHERE organization_id = ANY (organization_ids)
    LIMIT 1001), false);
END
$$;

CREATE FUNCTION latchkey.on_organizations_updated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM latchkey.log_organizations(ARRAY(
    SELECT DISTINCT changed.fields ->> 'id' FROM (
      (SELECT to_jsonb(o) FROM old_rows o EXCEPT SELECT to_jsonb(n) FROM new_rows n)
      UNION ALL
      (SELECT to_jsonb(n) FROM new_rows n EXCEPT SELECT to_jsonb(o) FROM old_rows o)
    ) AS changed(fields)));
  RETURN NULL;
END
$$;

CREATE FUNCTION latchkey.on_truncated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM latchkey.log_changes(ARRAY['all'], true);
  RETURN NULL;
END
$$;

CREATE TRIGGER log_insert AFTER INSERT ON latchkey.api_keys
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION latchkey.on_keys_inserted();
CREATE TRIGGER log_update AFTER UPDATE ON latchkey.api_keys
  REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION latchkey.on_keys_updated();
CREATE TRIGGER log_delete AFTER DELETE ON latchkey.api_keys
  REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION latchkey.on_keys_deleted();
CREATE TRIGGER log_truncate AFTER TRUNCATE ON latchkey.api_keys
  FOR EACH STATEMENT EXECUTE FUNCTION latchkey.on_truncated();

CREATE TRIGGER log_insert AFTER INSERT ON latchkey.api_key_secrets
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION latchkey.on_secrets_inserted();
CREATE TRIGGER log_update AFTER UPDATE ON latchkey.api_key_secrets
  REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION latchkey.on_secrets_updated();
CREATE TRIGGER log_delete AFTER DELETE ON latchkey.api_key_secrets
  REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION latchkey.on_secrets_deleted();
CREATE TRIGGER log_truncate AFTER TRUNCATE ON latchkey.api_key_secrets
  FOR EACH STATEMENT EXECUTE FUNCTION latchkey.on_truncated();

CREATE TRIGGER log_insert AFTER INSERT ON latchkey.users
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION latchkey.on_users_inserted();
CREATE TRIGGER log_update AFTER UPDATE ON latchkey.users
  REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION latchkey.on_users_updated();
CREATE TRIGGER log_delete AFTER DELETE ON latchkey.users
  REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION latchkey.on_users_deleted();
CREATE TRIGGER log_truncate AFTER TRUNCATE ON latchkey.users
  FOR EACH STATEMENT EXECUTE FUNCTION latchkey.on_truncated();

CREATE TRIGGER log_update AFTER UPDATE ON latchkey.organizations
  REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION latchkey.on_organizations_updated();
CREATE TRIGGER log_truncate AFTER TRUNCATE ON latchkey.organizations
  FOR EACH STATEMENT EXECUTE FUNCTION latchkey.on_truncated();

-- Who may do what. A function, since the roles may come to be after the tables: every `latchkey migrate` runs it.
-- Returns the roles that do not exist.
CREATE FUNCTION latchkey.apply_grants() RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  missing text[] := '{}';
BEGIN
  REVOKE ALL ON ALL FUNCTIONS IN SCHEMA latchkey FROM PUBLIC;
  -- A check constraint runs with the rights of whoever writes the row.
  GRANT EXECUTE ON FUNCTION latchkey.are_cidrs(text[]) TO PUBLIC;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'latchkey_check') THEN
    GRANT USAGE ON SCHEMA latchkey TO latchkey_check;
    GRANT EXECUTE ON FUNCTION latchkey.epoch() TO latchkey_check;
    GRANT SELECT ON latchkey.schema_version, latchkey.organizations, latchkey.users, latchkey.api_keys,
      latchkey.api_key_secrets, latchkey.sessions, latchkey.change_version, latchkey.change_log TO latchkey_check;
    GRANT UPDATE (last_used_at, last_used_address) ON latchkey.api_keys TO latchkey_check;
    GRANT UPDATE (last_active_at) ON latchkey.sessions TO latchkey_check;
    GRANT SELECT, INSERT, UPDATE, DELETE ON latchkey.replicas TO latchkey_check;
  ELSE
    missing := missing || 'latchkey_check'::text;
  END IF;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'latchkey_api') THEN
    GRANT USAGE ON SCHEMA latchkey TO latchkey_api;
    GRANT EXECUTE ON FUNCTION latchkey.epoch() TO latchkey_api;
    GRANT SELECT ON ALL TABLES IN SCHEMA latchkey TO latchkey_api;
    GRANT INSERT, UPDATE ON latchkey.organizations, latchkey.users, latchkey.api_keys, latchkey.api_key_secrets,
      latchkey.sessions TO latchkey_api;
    GRANT DELETE ON latchkey.api_key_secrets, latchkey.sessions TO latchkey_api;
    -- The audit log is added to, never changed.
    GRANT INSERT ON latchkey.audit_log TO latchkey_api;
    GRANT INSERT, UPDATE, DELETE ON latchkey.replicas TO latchkey_api;
  ELSE
    missing := missing || 'latchkey_api'::text;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'latchkey_migrate') THEN
    missing := missing || 'latchkey_migrate'::text;
  END IF;
  RETURN missing;
END
$$;
