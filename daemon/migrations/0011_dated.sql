-- Runs that were made before the clock was set: they are dated anew by the kernel's boot, or their date is not known.
-- Microseconds between the times in a run's rows and those that its folder and files are named by.
ALTER TABLE runs ADD COLUMN shift_us bigint NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN date_known boolean NOT NULL DEFAULT true;
-- Where the run stands among those of all cameras: its start, or behind the run before it when its date is not known.
ALTER TABLE runs ADD COLUMN placed_at timestamptz;
UPDATE runs SET placed_at = started_at;
ALTER TABLE runs ALTER COLUMN placed_at SET NOT NULL;

-- Runs of earlier releases whose date cannot be true.
UPDATE runs SET date_known = false WHERE started_at NOT BETWEEN '2025-01-01Z' AND '2100-01-01Z';
UPDATE runs SET placed_at = before.placed_at + (runs.ordinal - before.ordinal) * interval '1 microsecond'
FROM runs r
CROSS JOIN LATERAL (SELECT placed_at, ordinal FROM runs WHERE camera_id = r.camera_id AND ordinal < r.ordinal
                    AND date_known ORDER BY ordinal DESC LIMIT 1) before
WHERE r.id = runs.id AND NOT runs.date_known;

CREATE INDEX runs_by_place ON runs (placed_at, id);
-- A camera's segments in the order of their making, whatever a clock said.
CREATE INDEX segments_in_order ON segments (camera_id, first_sequence);
