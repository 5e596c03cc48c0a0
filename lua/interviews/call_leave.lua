-- A socket leaves the call of an interview, or its connection was lost.
-- KEYS 1 scope:meta   2 scope:log   3 scope:members   4 interview:call   5 scope:due
-- ARGV 1–11 as in rooms/lib/room.lua   12 presence window (ms)   13 grace (ms)   14 node   15 session epoch   16 lost ('1') or left ('')
--      17 lost at (ms, 0: now)   18 timer by which the lost are looked at
-- Returns { 'ok', …, ms to the end of the presence window or -1, ms until the timer that this call set or -1 }, or { 'nothing', … }
--         if it was no member of this node and session epoch
LOG, MEMBERS, CALL = KEYS[2], KEYS[3], KEYS[4]
local first = open(KEY, DUPLICATE)
if first then return first end
local lost, at = ARGV[16] == '1', tonumber(ARGV[17])
if at == 0 or at > now then at = now end
if not member_drop(SID, ARGV[14], ARGV[15], at, not lost) then return answer('nothing') end
due_open(KEYS[5])
local due = lost and due_by(ARGV[18], at + ARGV[13]) or -1
local left = not lost and place(SID)
if left then remove({ left }, 0) end
local window = presence(tonumber(ARGV[12]), tonumber(ARGV[13]), left)
live_on(MEMBERS, CALL)
return done(answer('ok', window, due))
