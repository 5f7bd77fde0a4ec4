-- +goose Up
-- +goose StatementBegin
SET LOCAL search_path = public;
SET LOCAL lock_timeout = '2s'; -- who waits for a lock has all others wait behind it

-- A record of a session changes its row in place (HOT), which costs half of a new version with its entries in every index: if no
-- index has a column that changes in it, not even as a condition, and if there is room on the page. So open sessions are found by
-- way of the table sessions, and half of each page is left to the next versions. Rows of logins never change.
DROP INDEX accounting_open;
DO $$
DECLARE
    partition record;
    change    record;
    before    text;
BEGIN
    FOR change IN VALUES
        ('make_partition(text, text, date)', '(fillfactor = 70)'', child, parent)',
            '(fillfactor = %s)'', child, parent, CASE parent WHEN ''accounting'' THEN 50 ELSE 100 END)'),
        ('forget_node(text, boolean)', 'WHERE a.node = gone.name AND a.stopped_at IS NULL AND a.nas IS NULL;',
            'FROM sessions s
        WHERE s.node = gone.name AND s.nas IS NULL AND a.session = s.id AND a.started_at = s.started_at AND a.stopped_at IS NULL;')
    LOOP
        before := pg_get_functiondef(change.column1::regprocedure);
        IF position(change.column2 IN before) = 0 THEN
            RAISE EXCEPTION '% is not the one that this migration knows', change.column1;
        END IF;
        EXECUTE replace(before, change.column2, change.column3);
    END LOOP;
    FOR partition IN SELECT i.inhrelid::regclass AS name, i.inhparent = 'accounting'::regclass AS changes FROM pg_inherits i
        WHERE i.inhparent IN ('accounting'::regclass, 'logins'::regclass)
    LOOP
        EXECUTE format('ALTER TABLE %s SET (fillfactor = %s)', partition.name, CASE WHEN partition.changes THEN 50 ELSE 100 END);
    END LOOP;
END $$;

-- What was told late about a session whose NAS had begun another by the same name is closed at once from now on.
UPDATE accounting a SET stopped_at = greatest(a.started_at, a.updated_at), terminate_cause = 'Lost-Service',
    cause = 'the NAS has given its name to another session'
WHERE a.epoch IS NULL AND a.stopped_at IS NULL AND a.nas IS NOT NULL
    AND EXISTS (SELECT FROM sessions s WHERE s.id = a.session AND s.started_at > a.started_at);

-- +goose StatementEnd
