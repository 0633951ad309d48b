-- Where a camera's pictures come from.
ALTER TABLE cameras
    ADD COLUMN source text NOT NULL DEFAULT 'link' CHECK (source IN ('link', 'mjpeg', 'websocket')),
    -- Nonce, URL with its user and password, and tag under the hub's key, as sealed_key.
    ADD COLUMN sealed_url bytea CHECK ((source = 'mjpeg') = (sealed_url IS NOT NULL)),
    ADD COLUMN source_addresses inet[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN cameras.source_addresses IS 'who may push this camera''s pictures without its secret path';
