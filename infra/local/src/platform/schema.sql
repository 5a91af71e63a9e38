-- Version 1. A row keeps the serial form of its domain type in `body`; the other columns are what the queries of
-- `ports::Store` look rows up by. Times are nanoseconds since 1970. A change of this schema is another file.

CREATE TABLE integrations (
    id      TEXT    NOT NULL PRIMARY KEY,
    cloud   TEXT    NOT NULL,
    tenant  TEXT    NOT NULL,
    version INTEGER NOT NULL,
    body    TEXT    NOT NULL,
    UNIQUE (cloud, tenant)
) STRICT;

CREATE TABLE people (
    integration    TEXT    NOT NULL REFERENCES integrations (id),
    id             TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    address        TEXT    NOT NULL,
    folded_primary TEXT,
    folded_mail    TEXT,
    generation     INTEGER NOT NULL,
    gone           INTEGER NOT NULL,
    body           TEXT    NOT NULL,
    PRIMARY KEY (integration, id)
) STRICT;
CREATE INDEX people_by_name ON people (integration, name, id);
CREATE INDEX people_by_address ON people (integration, address, id);
CREATE INDEX people_by_folded_primary ON people (integration, folded_primary);
CREATE INDEX people_by_folded_mail ON people (integration, folded_mail);
CREATE INDEX people_by_generation ON people (integration, gone, generation);

CREATE TABLE directory_cursors (
    integration TEXT    NOT NULL PRIMARY KEY REFERENCES integrations (id),
    version     INTEGER NOT NULL,
    body        TEXT    NOT NULL
) STRICT;

CREATE TABLE enrollments (
    integration TEXT    NOT NULL REFERENCES integrations (id),
    id          TEXT    NOT NULL,
    batch       TEXT    NOT NULL,
    person      TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    due_at      INTEGER,
    created_at  INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    written_by  TEXT,
    body        TEXT    NOT NULL,
    PRIMARY KEY (integration, id)
) STRICT;
CREATE INDEX enrollments_by_age ON enrollments (integration, created_at, id);
CREATE INDEX enrollments_by_state ON enrollments (integration, state, created_at, id);
CREATE INDEX enrollments_by_batch ON enrollments (integration, batch, created_at, id);
CREATE INDEX enrollments_by_batch_and_state ON enrollments (integration, batch, state, created_at, id);
CREATE INDEX enrollments_by_person ON enrollments (integration, person, created_at, id);
CREATE INDEX enrollments_by_due ON enrollments (integration, due_at, id) WHERE due_at IS NOT NULL;

-- How many enrollments are in a state: of the integration where `batch` is empty, else of the batch. Kept in the
-- transaction that moves an enrollment, because counting 100,000 rows for each page of the console is too slow.
CREATE TABLE enrollment_counts (
    integration TEXT    NOT NULL,
    batch       TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    enrollments INTEGER NOT NULL CHECK (enrollments >= 0),
    PRIMARY KEY (integration, batch, state)
) STRICT, WITHOUT ROWID;

CREATE TABLE timeline (
    integration TEXT    NOT NULL,
    enrollment  TEXT    NOT NULL,
    position    INTEGER NOT NULL,
    body        TEXT    NOT NULL,
    PRIMARY KEY (integration, enrollment, position),
    FOREIGN KEY (integration, enrollment) REFERENCES enrollments (integration, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE attachments (
    integration TEXT NOT NULL,
    enrollment  TEXT NOT NULL,
    kind        TEXT NOT NULL,
    content     BLOB NOT NULL,
    PRIMARY KEY (integration, enrollment, kind),
    FOREIGN KEY (integration, enrollment) REFERENCES enrollments (integration, id)
) STRICT;

CREATE TABLE claims (
    integration TEXT NOT NULL,
    claim       TEXT NOT NULL,
    enrollment  TEXT NOT NULL,
    PRIMARY KEY (integration, claim),
    FOREIGN KEY (integration, enrollment) REFERENCES enrollments (integration, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE orders (
    integration TEXT NOT NULL,
    reference   TEXT NOT NULL,
    enrollment  TEXT NOT NULL,
    PRIMARY KEY (integration, reference),
    FOREIGN KEY (integration, enrollment) REFERENCES enrollments (integration, id)
) STRICT, WITHOUT ROWID;

-- One row for each attempt: a callback of an earlier attempt is late, not forged.
CREATE TABLE hooks (
    token_hash  TEXT NOT NULL PRIMARY KEY,
    integration TEXT NOT NULL,
    enrollment  TEXT NOT NULL,
    FOREIGN KEY (integration, enrollment) REFERENCES enrollments (integration, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE purchases (
    integration TEXT    NOT NULL,
    day         TEXT    NOT NULL,
    begun       INTEGER NOT NULL,
    PRIMARY KEY (integration, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE batches (
    integration TEXT    NOT NULL REFERENCES integrations (id),
    id          TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    body        TEXT    NOT NULL,
    PRIMARY KEY (integration, id)
) STRICT;
CREATE INDEX batches_by_age ON batches (integration, created_at, id);

CREATE TABLE plan_rows (
    integration TEXT NOT NULL,
    batch       TEXT NOT NULL,
    person      TEXT NOT NULL,
    assessment  TEXT,
    body        TEXT NOT NULL,
    PRIMARY KEY (integration, batch, person),
    FOREIGN KEY (integration, batch) REFERENCES batches (integration, id)
) STRICT;
CREATE INDEX plan_rows_by_assessment ON plan_rows (integration, batch, assessment, person);

CREATE TABLE intune_records (
    integration TEXT NOT NULL REFERENCES integrations (id),
    id          TEXT NOT NULL,
    person      TEXT NOT NULL,
    body        TEXT NOT NULL,
    PRIMARY KEY (integration, id)
) STRICT;
CREATE INDEX intune_records_by_person ON intune_records (integration, person, id);

CREATE TABLE pauses (
    integration TEXT    NOT NULL,
    vendor      TEXT    NOT NULL,
    until       INTEGER NOT NULL,
    PRIMARY KEY (integration, vendor)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    position    INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    integration TEXT    NOT NULL,
    at          INTEGER NOT NULL,
    body        TEXT    NOT NULL
) STRICT;
CREATE INDEX audit_by_time ON audit (integration, at, position);

CREATE TABLE authorize_states (
    hash       TEXT    NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL,
    body       TEXT    NOT NULL
) STRICT;
CREATE INDEX authorize_states_by_expiry ON authorize_states (expires_at);

CREATE TABLE idempotency (
    key        TEXT    NOT NULL PRIMARY KEY,
    body_hash  TEXT    NOT NULL,
    answer     TEXT,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX idempotency_by_expiry ON idempotency (expires_at);

-- `receipt` names the delivery that is under way; a new delivery has a new one.
CREATE TABLE messages (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    queue      TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    visible_at INTEGER NOT NULL,
    received   INTEGER NOT NULL,
    receipt    TEXT
) STRICT;
CREATE INDEX messages_by_visibility ON messages (queue, visible_at, id);
CREATE UNIQUE INDEX messages_by_receipt ON messages (receipt) WHERE receipt IS NOT NULL;

CREATE TABLE dead_letters (
    id       INTEGER NOT NULL PRIMARY KEY,
    queue    TEXT    NOT NULL,
    body     TEXT    NOT NULL,
    received INTEGER NOT NULL,
    died_at  INTEGER NOT NULL,
    settled  INTEGER NOT NULL
) STRICT;
CREATE INDEX dead_letters_unsettled ON dead_letters (queue, id) WHERE settled = 0;

-- Sealed with the key of the key file. `vault_check` tells at once that the key file is another one.
CREATE TABLE secrets (
    integration TEXT NOT NULL,
    kind        TEXT NOT NULL,
    sealed      BLOB NOT NULL,
    PRIMARY KEY (integration, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE vault_check (
    only   INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    sealed BLOB    NOT NULL
) STRICT;
