-- Runs, segments, gaps and pins. A camera's rows outlive nothing: they go with it, after its files.
CREATE TABLE runs (
    id             uuid PRIMARY KEY,
    camera_id      uuid NOT NULL REFERENCES cameras (id) ON DELETE CASCADE,
    ordinal        bigint NOT NULL CHECK (ordinal >= 0),
    first_sequence bigint NOT NULL CHECK (first_sequence >= 0),
    started_at     timestamptz NOT NULL,
    ended_at       timestamptz,
    end_reason     text,
    width          integer NOT NULL,
    height         integer NOT NULL,
    codec          text NOT NULL,
    UNIQUE (camera_id, ordinal)
);
CREATE INDEX runs_by_time ON runs (camera_id, started_at);

CREATE TABLE segments (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id         uuid NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    camera_id      uuid NOT NULL,
    first_sequence bigint NOT NULL CHECK (first_sequence >= 0),
    started_at     timestamptz NOT NULL,
    ended_at       timestamptz NOT NULL,
    size_bytes     bigint NOT NULL,
    fragments      integer NOT NULL,
    fragment_index bytea NOT NULL,
    closed         boolean NOT NULL,
    -- Where the file is: 'local', or a storage target later.
    location       text NOT NULL DEFAULT 'local',
    -- Set before the file is unlinked; the row goes after.
    deleting_since timestamptz,
    UNIQUE (run_id, started_at)
);
CREATE INDEX segments_by_time ON segments (camera_id, started_at);
CREATE INDEX segments_deleting ON segments (deleting_since) WHERE deleting_since IS NOT NULL;

CREATE TABLE gaps (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    camera_id  uuid NOT NULL REFERENCES cameras (id) ON DELETE CASCADE,
    started_at timestamptz NOT NULL,
    ended_at   timestamptz,
    reason     text NOT NULL,
    UNIQUE (camera_id, started_at)
);

CREATE TABLE pins (
    id         uuid PRIMARY KEY,
    camera_id  uuid NOT NULL REFERENCES cameras (id) ON DELETE CASCADE,
    started_at timestamptz NOT NULL,
    ended_at   timestamptz NOT NULL CHECK (ended_at > started_at),
    note       text NOT NULL DEFAULT '' CHECK (char_length(note) <= 200),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX pins_by_camera ON pins (camera_id, started_at);

-- Manual recording that was started and not stopped; survives a restart.
CREATE TABLE manual_recordings (
    camera_id  uuid PRIMARY KEY REFERENCES cameras (id) ON DELETE CASCADE,
    started_at timestamptz NOT NULL DEFAULT now()
);
