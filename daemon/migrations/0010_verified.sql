-- What is known of the bytes of segments' files.
ALTER TABLE segments
    -- When they were read and compared with their checksums last.
    ADD COLUMN verified_at timestamptz,
    -- Fragments that are not what was recorded.
    ADD COLUMN damaged integer NOT NULL DEFAULT 0 CHECK (damaged >= 0);
CREATE INDEX segments_damaged ON segments (camera_id) WHERE damaged > 0;
CREATE INDEX segments_by_verification ON segments (verified_at NULLS FIRST, id);
