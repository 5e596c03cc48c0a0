-- A socket leaves by sos:leave, or its connection was lost.
-- KEYS all nine of lib/sos.lua   10 scope:due
-- ARGV 1–13 as in lib/sos.lua   14 node   15 session epoch   16 lost ('1') or left ('')   17 lost at (ms, 0: now)
--      18 presence window (ms)   19 grace (ms): after so long the loss is announced
-- Returns { 'ok', …, ms to the end of the presence window or -1, ms until the timer `offline` that this call set or -1 }, or
-- { 'nothing', … } if it was no member of this node and session epoch
-- A user that left is removed with its last socket, at once. One that was lost is announced by sos_presence, after the grace.
all_keys()
local first = open(KEY, 7)
if first then return first end
local lost = ARGV[16] == '1'
local at = tonumber(ARGV[17])
if at == 0 or at > now then at = now end
local key, entry = member_drop(SID, ARGV[14], ARGV[15], at, not lost)
if not key then return answer('nothing') end
if not lost and call('EXISTS', STATE) == 1 then
  audit('leave')
  if entry and entry.sockets == 0 then all_last_to_outbox({ { key = key, user = USER } }) end
end
due_open(KEYS[10])
local due = lost and due_by('offline', at + ARGV[19]) or -1
local window = presence(ARGV[18], not lost and differs(key))
return done(answer('ok', window, due))
