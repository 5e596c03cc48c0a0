-- The audit trail, ascending.
-- KEYS 1 sos:state   2 sos:events
-- ARGV 1 after this id   2 limit   3 bytes of notes after which the answer ends early
-- Returns { 0 } without state, else { 1, there are more, entry, … }, entry = { id, event, user, role, socket, source, time,
--         note, status, old }
if redis.call('EXISTS', KEYS[1]) == 0 then return { 0 } end
return audit_after({ 1, 0 }, KEYS[2], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]))
