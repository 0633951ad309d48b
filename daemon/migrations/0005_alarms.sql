-- Alarm rules, the alarms they raised, and how people are told.
CREATE TABLE alarm_rules (
    id            uuid PRIMARY KEY,
    name          text NOT NULL UNIQUE CHECK (name ~ '^[a-z][a-z0-9-]{0,31}$'),
    -- above, below, rate, sensor_silent, camera_offline, recording_stalled, disk_floor.
    kind          text NOT NULL,
    sensor_id     uuid REFERENCES sensors (id) ON DELETE CASCADE,
    camera_id     uuid REFERENCES cameras (id) ON DELETE CASCADE,
    milli         integer,
    hysteresis    integer,
    after_seconds bigint NOT NULL,
    enabled       boolean NOT NULL DEFAULT true,
    hold_seconds  bigint NOT NULL,
    repeat_seconds bigint,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN alarm_rules.milli IS 'the limit, or the change, in thousandths of a degree Celsius';

CREATE TABLE alarm_channels (
    id         uuid PRIMARY KEY,
    name       text NOT NULL UNIQUE CHECK (name ~ '^[a-z][a-z0-9-]{0,31}$'),
    kind       text NOT NULL CHECK (kind IN ('webhook', 'ntfy', 'email', 'mqtt')),
    -- Addresses and the like; no secret.
    settings   jsonb NOT NULL,
    -- Sealed like a camera's key. Absent: none.
    sealed_secret bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- A rule with no row here tells all channels.
CREATE TABLE alarm_rule_channels (
    rule_id    uuid NOT NULL REFERENCES alarm_rules (id) ON DELETE CASCADE,
    channel_id uuid NOT NULL REFERENCES alarm_channels (id) ON DELETE CASCADE,
    PRIMARY KEY (rule_id, channel_id)
);

-- History outlives its rule, its sensor and its camera.
CREATE TABLE alarms (
    id              uuid PRIMARY KEY,
    rule_id         uuid NOT NULL,
    rule_name       text NOT NULL,
    message         text NOT NULL,
    since           timestamptz NOT NULL,
    raised_at       timestamptz NOT NULL,
    cleared_at      timestamptz,
    acknowledged_at timestamptz,
    acknowledged_by text,
    extreme_milli   integer,
    sensor_id       uuid,
    camera_id       uuid
);
CREATE INDEX alarms_raised ON alarms (raised_at) WHERE cleared_at IS NULL;
CREATE INDEX alarms_by_time ON alarms (raised_at DESC, id);

-- Causes that are there, but not for the rule's time yet: a restart loses none of it.
CREATE TABLE alarm_pending (
    rule_id uuid PRIMARY KEY REFERENCES alarm_rules (id) ON DELETE CASCADE,
    since   timestamptz NOT NULL,
    -- When the cause was seen last.
    seen_at timestamptz NOT NULL
);

CREATE TABLE alarm_deliveries (
    -- Version 7: sorts by time.
    id              uuid PRIMARY KEY,
    alarm_id        uuid NOT NULL REFERENCES alarms (id) ON DELETE CASCADE,
    channel_id      uuid NOT NULL REFERENCES alarm_channels (id) ON DELETE CASCADE,
    occasion        text NOT NULL CHECK (occasion IN ('raised', 'repeated', 'cleared')),
    -- What is sent, as it was when it happened: JSON.
    message         text NOT NULL,
    created_at      timestamptz NOT NULL,
    finished_at     timestamptz,
    delivered       boolean,
    attempts        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    error           text
);
CREATE INDEX alarm_deliveries_waiting ON alarm_deliveries (created_at, id) WHERE finished_at IS NULL;
CREATE INDEX alarm_deliveries_by_alarm ON alarm_deliveries (alarm_id, id);
CREATE INDEX alarm_deliveries_by_channel ON alarm_deliveries (channel_id, id);

CREATE TRIGGER alarm_rules_changed AFTER INSERT OR UPDATE OR DELETE ON alarm_rules
    FOR EACH STATEMENT EXECUTE FUNCTION notify_channel('alarms');
CREATE TRIGGER alarm_rule_channels_changed AFTER INSERT OR DELETE ON alarm_rule_channels
    FOR EACH STATEMENT EXECUTE FUNCTION notify_channel('alarms');
CREATE TRIGGER alarm_channels_changed AFTER INSERT OR UPDATE OR DELETE ON alarm_channels
    FOR EACH STATEMENT EXECUTE FUNCTION notify_channel('alarms');
