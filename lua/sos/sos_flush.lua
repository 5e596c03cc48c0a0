-- Sends the newest fix of everybody whose window has ended. The first node that comes sends it. After the end of the
-- SOS: last positions that the SOS service has not got yet.
-- KEYS 1 scope:meta   2 sos:state   3 sos:location   4 sos:track   5 sos:outbox   6 sos:events
-- ARGV 1–13 as in lib/sos.lua (8, 9: only this user, '' all)   14 window (ms)   15 most of them
-- Returns { 'ok', …, sent, ms to the end of the next window or -1 }
STATE, LOCATION, TRACK, OUTBOX, EVENTS = unpack(KEYS, 2)
local first = open(KEY, 7)
if first then return first end
local status = call('HGET', STATE, 'status')
if not status or FINAL[status] and not to_outbox() then return answer('ok', 0, -1) end
local sent, wait
if FINAL[status] then
  sent, wait = flush_all(0, tonumber(ARGV[15]), true, true)
elseif KEY ~= '' then
  sent, wait = flush_user(KEY, tonumber(ARGV[14]))
else
  sent, wait = flush_all(tonumber(ARGV[14]), tonumber(ARGV[15]), false)
end
local result = answer('ok', sent, wait)
if sent > 0 then return done(result) end
return result
