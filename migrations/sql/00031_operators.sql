-- +goose Up
-- +goose StatementBegin
SET LOCAL search_path = public;
SET LOCAL lock_timeout = '2s'; -- who waits for a lock has all others wait behind it

-- Many people change rows by way of one program and its one database user. The program says whose change it is, in the same
-- transaction: SELECT set_config('lnsgate.operator', 'anna from 192.0.2.7', true).
ALTER TABLE audit ADD COLUMN operator text;
ALTER TABLE audit ALTER COLUMN operator SET DEFAULT nullif(current_setting('lnsgate.operator', true), '');
COMMENT ON COLUMN audit.operator IS 'Who used the program, and from where, as the program says; null when it does not.';

-- +goose StatementEnd
