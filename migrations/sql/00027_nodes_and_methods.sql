-- +goose Up
-- +goose StatementBegin
SET LOCAL search_path = public;

-- NASes that ask by RADIUS still bring MS-CHAPv1.
ALTER TABLE domains DROP CONSTRAINT domains_methods,
    ADD CONSTRAINT domains_methods CHECK (methods <@ '{pap,chap,mschapv1,mschapv2,eap}'::text[]);
COMMENT ON COLUMN domains.methods IS 'The only methods allowed: pap, chap, mschapv1, mschapv2, eap. Empty: all.';

-- Nodes that think differently of how long a lease lives take addresses from each other that are in use.
ALTER TABLE nodes ADD COLUMN lease_life interval;
COMMENT ON COLUMN nodes.lease_life IS 'How long addresses in use on the node stay its own when it is silent: database.lease_life of its configuration, which must be the same on all. Null: it did not say.';

-- A name that was forgotten may come back. Its epochs must go on rising, for the process that was forgotten may not be dead.
CREATE SEQUENCE node_epochs MINVALUE 0 START 0;
COMMENT ON SEQUENCE node_epochs IS 'The highest epoch of the nodes that were forgotten.';
CREATE FUNCTION first_epoch() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT last_value + 1 FROM node_epochs $$;
COMMENT ON FUNCTION first_epoch() IS 'The epoch that a node begins with which is not in the table nodes.';
ALTER TABLE nodes ALTER COLUMN epoch SET DEFAULT first_epoch();

-- Who may have a node forgotten need not have the right to write what nodes write.
CREATE FUNCTION forget_node(node text, force boolean DEFAULT false)
RETURNS TABLE (leases bigint, blocks bigint, sessions bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    gone nodes%ROWTYPE;
BEGIN
    SELECT n.* INTO gone FROM nodes n WHERE n.name = forget_node.node FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no node %', forget_node.node USING ERRCODE = 'P0002';
    END IF;
    IF gone.heartbeat_at > clock_timestamp() - interval '3 min' AND NOT force THEN
        RAISE EXCEPTION 'node % was heard % seconds ago', gone.name,
            greatest(0, round(extract(epoch FROM clock_timestamp() - gone.heartbeat_at))) USING ERRCODE = 'object_in_use',
            HINT = 'a node that is silent for 3 minutes may be forgotten; its sessions go on where it lives, and their addresses are given to others';
    END IF;
    UPDATE pool_blocks b SET node = NULL, epoch = NULL, expires_at = NULL WHERE b.node = gone.name;
    GET DIAGNOSTICS blocks = ROW_COUNT;
    UPDATE leases l SET state = 'quarantine', expires_at = now() WHERE l.node = gone.name AND l.state = 'bound';
    GET DIAGNOSTICS leases = ROW_COUNT;
    -- The sequence stays as it is: what the node may still deliver is newer, and counts more.
    UPDATE accounting a SET stopped_at = greatest(a.started_at, a.updated_at, CASE WHEN a.epoch = gone.epoch THEN gone.heartbeat_at END),
        terminate_cause = 'NAS-Reboot', cause = 'the node was removed'
        WHERE a.node = gone.name AND a.stopped_at IS NULL AND a.nas IS NULL;
    GET DIAGNOSTICS sessions = ROW_COUNT;
    DELETE FROM sessions s WHERE s.node = gone.name AND s.nas IS NULL;
    DELETE FROM session_slots s WHERE s.node = gone.name;
    DELETE FROM session_counts c WHERE c.node = gone.name AND c.counted = 0;
    PERFORM setval('node_epochs', greatest(last_value, gone.epoch)) FROM node_epochs;
    DELETE FROM nodes n WHERE n.name = gone.name;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION forget_node(text, boolean) IS 'Frees the addresses of a node that is dead and will not come back, closes its sessions and removes it: SELECT * FROM forget_node(''lns3''). One that was heard in the last 3 minutes only when force is true.';
REVOKE EXECUTE ON FUNCTION forget_node(text, boolean), first_epoch() FROM PUBLIC;
REVOKE ALL ON SEQUENCE node_epochs FROM PUBLIC;

DO $$
DECLARE
    change record;
    before text;
BEGIN
    FOR change IN VALUES
        ('make_partitions(integer, integer), set_password', 'first_epoch(), forget_node(text, boolean), make_partitions(integer, integer), set_password'),
        ('GRANT EXECUTE ON FUNCTION set_password(text, text) TO', 'GRANT EXECUTE ON FUNCTION forget_node(text, boolean), set_password(text, text) TO')
    LOOP
        before := pg_get_functiondef('grant_roles()'::regprocedure);
        IF position(change.column1 IN before) = 0 THEN
            RAISE EXCEPTION 'grant_roles() is not the one that this migration knows';
        END IF;
        EXECUTE replace(before, change.column1, change.column2);
    END LOOP;
END $$;
SELECT grant_roles();

-- +goose StatementEnd
