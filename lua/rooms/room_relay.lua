-- A signal from a member of a room to the others, to one socket, or to one user.
-- KEYS 1 scope:meta   2 scope:log   3 scope:members
-- ARGV 1–11 as in lib/room.lua   12 to: socket or user ('' the others)   13 its user key ('' only sockets can be named)
--      14 lengths of attachments ('-' none)   15 args array and attachments
-- Returns { 'ok', 'nobody' (`to` names no member) or 'not_member' (the sender is none), … }
LOG, MEMBERS = KEYS[2], KEYS[3]
local first = open(KEY, DUPLICATE)
if first then return first end
if call('HEXISTS', MEMBERS, SID) == 0 then return answer('not_member') end
if not relay(ARGV[12], ARGV[13], ARGV[14], ARGV[15]) then return answer('nobody') end
return done(answer('ok'))
