-- Jobs: slow work that can fail and goes on over a restart. Deliveries of alarms are jobs.
CREATE TABLE jobs (
    -- Version 7: sorts by time.
    id              uuid PRIMARY KEY,
    kind            text NOT NULL,
    -- Jobs of one kind and lane are done one after the other.
    lane            text NOT NULL,
    -- What it is about: an alarm, a camera.
    about           uuid,
    title           text NOT NULL,
    input           jsonb NOT NULL,
    priority        smallint NOT NULL DEFAULT 0 CHECK (priority BETWEEN 0 AND 9),
    created_at      timestamptz NOT NULL,
    attempts        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    -- How far it is: so many of so many (0: not known).
    done            bigint,
    total           bigint,
    unit            text,
    error           text,
    finished_at     timestamptz,
    outcome         text CHECK (outcome IN ('succeeded', 'failed', 'cancelled')),
    CHECK ((finished_at IS NULL) = (outcome IS NULL))
);
CREATE INDEX jobs_unfinished ON jobs (id) WHERE finished_at IS NULL;
CREATE INDEX jobs_by_lane ON jobs (kind, lane, id);
CREATE INDEX jobs_by_kind ON jobs (kind, id);
CREATE INDEX jobs_by_about ON jobs (about, id) WHERE about IS NOT NULL;

CREATE TRIGGER jobs_added AFTER INSERT ON jobs
    -- Not for a row that an upsert changes.
    FOR EACH ROW EXECUTE FUNCTION notify_channel('jobs');

INSERT INTO jobs (id, kind, lane, about, title, input, created_at, attempts, next_attempt_at, error, finished_at,
                  outcome)
SELECT d.id, 'alarm_delivery', d.channel_id::text, d.alarm_id,
       format('%s, to %s', d.message::jsonb ->> 'subject', c.name),
       jsonb_build_object('channel', d.channel_id, 'note', d.message::jsonb),
       d.created_at, d.attempts, d.next_attempt_at, d.error, d.finished_at,
       CASE WHEN d.finished_at IS NULL THEN NULL WHEN d.delivered THEN 'succeeded' ELSE 'failed' END
FROM alarm_deliveries d JOIN alarm_channels c ON c.id = d.channel_id;

DROP TABLE alarm_deliveries;
