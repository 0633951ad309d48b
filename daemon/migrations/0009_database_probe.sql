-- One row, which the hub writes and reads every few seconds to see whether its database works. When it wrote last tells
-- the next start since when it was down.
CREATE TABLE database_probe (
    id         boolean PRIMARY KEY DEFAULT true CHECK (id),
    number     bigint NOT NULL,
    -- By the hub's clock.
    written_at timestamptz NOT NULL
);
