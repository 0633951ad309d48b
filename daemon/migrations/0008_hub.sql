-- Whose database this is, and where the recordings of its rows are. One row.
CREATE TABLE hub (
    only_row          boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    -- Stays with the rows, also in a copy of the database.
    database_id       uuid NOT NULL DEFAULT gen_random_uuid(),
    -- NULL: nobody's yet.
    hub_id            uuid,
    hub_name          text,
    claimed_at        timestamptz,
    -- The marker of the folder that holds the files of segments whose location is 'local'.
    recordings_folder uuid
);
INSERT INTO hub DEFAULT VALUES;
