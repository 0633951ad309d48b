-- One row, which the hub writes and reads every few seconds to see whether its database works.
CREATE TABLE database_probe (
    id     boolean PRIMARY KEY DEFAULT true CHECK (id),
    number bigint NOT NULL
);
