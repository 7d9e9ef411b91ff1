-- People. They belong to the installation; what they may do in a project is a membership.
CREATE TABLE users (
    id uuid PRIMARY KEY,
    email text NOT NULL, -- as it was written
    email_key text NOT NULL, -- in lower case: what it is found by
    password_hash text, -- a PHC string of Argon2id; null: signs in another way, or not yet
    token_epoch integer NOT NULL DEFAULT 1, -- access tokens of an earlier one are worth nothing
    totp_secret text,
    totp_enabled_at timestamptz, -- null: the secret was handed out and is not proven yet
    totp_step bigint NOT NULL DEFAULT 0, -- the last time step that a code was taken for
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    password_changed_at timestamptz,
    last_login_at timestamptz,
    disabled_at timestamptz,
    CONSTRAINT users_email_taken UNIQUE (email_key)
);
COMMENT ON COLUMN users.totp_secret IS 'sealed';

-- What stands in for the second factor when it is lost; each code once.
CREATE TABLE recovery_codes (
    user_id uuid NOT NULL REFERENCES users,
    code_sha256 bytea NOT NULL,
    used_at timestamptz,
    PRIMARY KEY (user_id, code_sha256)
);

-- Who a user is to an identity provider.
CREATE TABLE user_identities (
    issuer text NOT NULL,
    subject text NOT NULL,
    user_id uuid NOT NULL REFERENCES users,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX user_identities_by_user ON user_identities (user_id);

-- Browsers that are signed in.
CREATE TABLE sessions (
    user_id uuid NOT NULL REFERENCES users,
    id uuid NOT NULL,
    secret_sha256 bytea NOT NULL,
    method text NOT NULL CHECK (method IN ('password', 'totp', 'oidc')),
    address inet,
    user_agent text,
    created_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL, -- to the minute
    expires_at timestamptz NOT NULL, -- whatever happens
    PRIMARY KEY (user_id, id),
    CONSTRAINT sessions_by_secret UNIQUE (secret_sha256)
);
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- Programs that are signed in: each refresh token is spent for its successor, and a family is all that came of one login.
CREATE TABLE token_families (
    user_id uuid NOT NULL REFERENCES users,
    id uuid NOT NULL,
    token_epoch integer NOT NULL, -- the user's when it began; with another one it goes on no more
    address inet,
    user_agent text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    ended_because text CHECK (ended_because IN ('reused', 'revoked', 'signed_out')),
    PRIMARY KEY (user_id, id)
);
CREATE INDEX token_families_by_end ON token_families (expires_at);
CREATE INDEX token_families_ended ON token_families (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE refresh_tokens (
    secret_sha256 bytea PRIMARY KEY,
    user_id uuid NOT NULL,
    family_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    spent_at timestamptz,
    successor_sha256 bytea,
    FOREIGN KEY (user_id, family_id) REFERENCES token_families ON DELETE CASCADE
);
CREATE INDEX refresh_tokens_by_family ON refresh_tokens (user_id, family_id);

-- What access tokens are signed with: one is next, one current, the others are still believed for a while.
CREATE TABLE signing_keys (
    kid text PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('next', 'current', 'previous')),
    public_key bytea NOT NULL, -- SubjectPublicKeyInfo
    private_key text NOT NULL,
    created_at timestamptz NOT NULL,
    activated_at timestamptz,
    retires_at timestamptz -- when a previous one is believed no more
);
CREATE UNIQUE INDEX signing_keys_one_next ON signing_keys (state) WHERE state = 'next';
CREATE UNIQUE INDEX signing_keys_one_current ON signing_keys (state) WHERE state = 'current';
COMMENT ON COLUMN signing_keys.private_key IS 'sealed';

-- Failed logins by the hash of the e-mail address, whether somebody has it or not.
CREATE TABLE login_throttles (
    email_sha256 bytea PRIMARY KEY,
    failures integer NOT NULL,
    blocked_until timestamptz,
    failed_at timestamptz NOT NULL
);

-- What sets a password or accepts an invitation, once. Its secret is made when it is sent or printed.
CREATE TABLE one_time_tokens (
    id uuid PRIMARY KEY,
    purpose text NOT NULL CHECK (purpose IN ('owner', 'invitation', 'reset')),
    email text NOT NULL,
    email_key text NOT NULL,
    project_id uuid, -- null for a reset
    role text,
    access json, -- scopes and conditions of the membership that comes of it
    secret_sha256 bytea,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    CONSTRAINT one_time_tokens_by_secret UNIQUE (secret_sha256)
);
-- one open invitation for an address and project, one reset for an address
CREATE UNIQUE INDEX one_time_tokens_open ON one_time_tokens (purpose, email_key, project_id) NULLS NOT DISTINCT WHERE used_at IS NULL;
CREATE INDEX one_time_tokens_by_project ON one_time_tokens (project_id, id) WHERE used_at IS NULL;
CREATE INDEX one_time_tokens_by_end ON one_time_tokens (expires_at);

CREATE TABLE memberships (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    user_id uuid NOT NULL REFERENCES users,
    role text NOT NULL CHECK (role IN ('viewer', 'operator', 'developer', 'admin', 'owner', 'worker')),
    access json NOT NULL DEFAULT '{}', -- scopes and conditions
    revision integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    updated_at timestamptz NOT NULL,
    disabled_at timestamptz,
    PRIMARY KEY (project_id, id),
    CONSTRAINT memberships_once UNIQUE (project_id, user_id)
);
CREATE INDEX memberships_by_user ON memberships (user_id);

ALTER TABLE projects
    ADD COLUMN revision integer NOT NULL DEFAULT 1,
    ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN archived_at timestamptz;

ALTER TABLE api_keys
    ADD COLUMN access json NOT NULL DEFAULT '{}', -- scopes and conditions
    ADD COLUMN created_by text NOT NULL DEFAULT 'cli',
    ADD COLUMN revision integer NOT NULL DEFAULT 1,
    ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN rotated_at timestamptz,
    ADD COLUMN old_sha256 bytea, -- what it was before it was rotated
    ADD COLUMN old_expires_at timestamptz; -- and until when that is still taken
UPDATE api_keys SET access = json_build_object('scopes', scopes) WHERE scopes IS NOT NULL;
ALTER TABLE api_keys DROP COLUMN scopes, DROP CONSTRAINT api_keys_name_taken;
-- a revoked key keeps its name in the records and lends it to the next
CREATE UNIQUE INDEX api_keys_name_taken ON api_keys (project_id, name) WHERE revoked_at IS NULL;

-- Others whose JSON Web Tokens a project takes for what they say.
CREATE TABLE token_issuers (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    issuer text NOT NULL,
    audience text NOT NULL,
    jwks_url text, -- null: where the issuer's discovery document says
    subject text, -- null: any
    role text NOT NULL,
    access json NOT NULL DEFAULT '{}', -- scopes and conditions
    revision integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, id),
    CONSTRAINT token_issuers_name_taken UNIQUE (project_id, name)
);
CREATE INDEX token_issuers_by_issuer ON token_issuers (issuer);

-- What conditions of memberships and keys look at.
ALTER TABLE automations ADD COLUMN tags text[] NOT NULL DEFAULT '{}', ADD COLUMN owner_id uuid;
ALTER TABLE sources ADD COLUMN tags text[] NOT NULL DEFAULT '{}', ADD COLUMN owner_id uuid;
ALTER TABLE webhook_endpoints ADD COLUMN tags text[] NOT NULL DEFAULT '{}', ADD COLUMN owner_id uuid;
ALTER TABLE connections ADD COLUMN tags text[] NOT NULL DEFAULT '{}', ADD COLUMN owner_id uuid;

GRANT SELECT, INSERT, UPDATE, DELETE
    ON users, recovery_codes, user_identities, sessions, token_families, refresh_tokens, signing_keys, login_throttles,
    one_time_tokens, memberships, token_issuers
    TO bellhop_app;
