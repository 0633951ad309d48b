-- Cameras and what is wanted of them. Names are unique among cameras; ids never change.
CREATE TABLE cameras (
    id             uuid PRIMARY KEY,
    name           text NOT NULL UNIQUE CHECK (name ~ '^[a-z][a-z0-9-]{0,31}$'),
    title          text NOT NULL DEFAULT '' CHECK (char_length(title) <= 64),
    -- 12 bytes of nonce, then the camera's 32-byte key and a 16-byte tag under the hub's key (AES-256-GCM).
    sealed_key     bytea NOT NULL,
    width          integer NOT NULL,
    height         integer NOT NULL,
    quality        integer NOT NULL CHECK (quality BETWEEN 4 AND 63),
    active_fps     integer NOT NULL CHECK (active_fps BETWEEN 1 AND 30),
    idle_fps       integer NOT NULL CHECK (idle_fps BETWEEN 1 AND 30),
    recording_mode text NOT NULL CHECK (recording_mode IN ('continuous', 'manual', 'off')),
    max_age        bigint CHECK (max_age > 0),
    max_bytes      bigint CHECK (max_bytes > 0),
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN cameras.max_age IS 'seconds';

CREATE FUNCTION notify_channel() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify(TG_ARGV[0], '');
    RETURN NULL;
END
$$;

CREATE TRIGGER cameras_changed AFTER INSERT OR UPDATE OR DELETE ON cameras
    FOR EACH STATEMENT EXECUTE FUNCTION notify_channel('cameras');
