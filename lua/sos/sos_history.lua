-- Messages before one, ascending. For members; after the end for all with rights.
-- KEYS 1 sos:state   2 scope:members   3 sos:messages
-- ARGV 1 user key   2 role   3 the token names this SOS   4 socket   5 before ('' the newest)   6 limit   7 bytes of texts
--      after which the answer ends early, one message in it at least
-- Returns { 'ok', next before or '', message, … }, message = { id, user, role, text, clientMessageId, time }; { 'missing' };
--         { 'forbidden' }; { 'not_member' }
local state = call('HMGET', KEYS[1], 'status', 'adm:' .. ARGV[1])
if not state[1] then return { 'missing' } end
if not rights(ARGV[2], ARGV[3] == '1', state[2]) then return { 'forbidden' } end
if not FINAL[state[1]] and call('HEXISTS', KEYS[2], ARGV[4]) == 0 then return { 'not_member' } end
return messages_before(KEYS[3], ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7]))
