-- Sensors and their readings. Readings are many: rows are narrow, keys dense, and older ones live on as roll-ups.
CREATE TABLE sensors (
    id           uuid PRIMARY KEY,
    -- What rows of readings carry instead of the id.
    key          integer GENERATED ALWAYS AS IDENTITY UNIQUE,
    name         text NOT NULL UNIQUE CHECK (name ~ '^[a-z][a-z0-9-]{0,31}$'),
    title        text NOT NULL DEFAULT '' CHECK (char_length(title) <= 64),
    -- A camera's probe, or a device that sends text from an address.
    probe_camera uuid REFERENCES cameras (id) ON DELETE CASCADE,
    probe_index  integer CHECK (probe_index BETWEEN 0 AND 7),
    text_address inet,
    text_device  text CHECK (char_length(text_device) BETWEEN 1 AND 64),
    offset_milli integer NOT NULL DEFAULT 0 CHECK (offset_milli BETWEEN -20000 AND 20000),
    unit         text NOT NULL DEFAULT 'celsius' CHECK (unit IN ('celsius', 'fahrenheit')),
    camera_id    uuid REFERENCES cameras (id) ON DELETE SET NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    CHECK ((probe_camera IS NULL) = (probe_index IS NULL)),
    CHECK ((text_address IS NULL) = (text_device IS NULL)),
    CHECK ((probe_camera IS NULL) <> (text_address IS NULL)),
    UNIQUE (probe_camera, probe_index),
    UNIQUE (text_address, text_device)
);

CREATE TRIGGER sensors_changed AFTER INSERT OR UPDATE OR DELETE ON sensors
    FOR EACH STATEMENT EXECUTE FUNCTION notify_channel('sensors');

-- Readings carry a key that is never used again, and no foreign key: a sensor may have millions, and removing it must
-- not wait until all are gone. Its key goes here, and its rows go in small steps.
CREATE TABLE sensors_gone (key integer PRIMARY KEY);

CREATE FUNCTION sensor_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO sensors_gone (key) VALUES (OLD.key);
    RETURN NULL;
END $$;

CREATE TRIGGER sensors_gone AFTER DELETE ON sensors FOR EACH ROW EXECUTE FUNCTION sensor_gone();

-- Single readings in thousandths of a degree Celsius, with the sensor's offset of that time.
CREATE TABLE readings (
    sensor      integer NOT NULL,
    captured_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    milli       integer NOT NULL,
    PRIMARY KEY (sensor, captured_at)
);

-- Minutes, hours and days of UTC, by their beginning. `total` is the sum of all values.
CREATE TABLE reading_minutes (
    sensor   integer NOT NULL,
    began_at timestamptz NOT NULL,
    least    integer NOT NULL,
    most     integer NOT NULL,
    total    bigint NOT NULL,
    count    integer NOT NULL,
    PRIMARY KEY (sensor, began_at)
);
CREATE TABLE reading_hours (LIKE reading_minutes INCLUDING ALL);
CREATE TABLE reading_days (LIKE reading_minutes INCLUDING ALL);

-- The newest datagram that was taken from each camera. The local file has it too; the larger one counts.
CREATE TABLE reading_marks (
    camera_id uuid PRIMARY KEY REFERENCES cameras (id) ON DELETE CASCADE,
    boot      bigint NOT NULL,
    seq       bigint NOT NULL
);
