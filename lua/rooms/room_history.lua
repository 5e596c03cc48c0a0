-- Messages of a room before one, ascending.
-- KEYS 1 messages (a stream)   2 scope:members
-- ARGV 1 socket that must be a member ('' anybody)   2 before ('' the newest)   3 limit   4 bytes of texts after which the
--      answer ends early
-- Returns as messages_before in lib/history.lua, or { 'not_member' }
if ARGV[1] ~= '' and call('HEXISTS', KEYS[2], ARGV[1]) == 0 then return { 'not_member' } end
return messages_before(KEYS[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]))
