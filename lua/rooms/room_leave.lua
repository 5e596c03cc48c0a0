-- A socket leaves a room, or its connection was lost.
-- KEYS 1 scope:meta   2 scope:log   3 scope:members   4 scope:due
-- ARGV 1–11 as in lib/room.lua   12 node   13 session epoch   14 lost ('1') or left ('')   15 lost at (ms, 0: now)
--      16 presence window (ms)   17 head of the announcement, JSON   18 timer by which the lost are announced   19 grace (ms)
-- Returns { 'ok', …, ms to the end of the presence window or -1, ms until the timer that this call set or -1 }, or
--         { 'nothing', … } if it was no member of this node and session epoch
LOG, MEMBERS, HEAD = KEYS[2], KEYS[3], ARGV[17]
local first = open(KEY, DUPLICATE)
if first then return first end
local lost, at = ARGV[14] == '1', tonumber(ARGV[15])
if at == 0 or at > now then at = now end
local key = member_drop(SID, ARGV[12], ARGV[13], at, not lost)
if not key then return answer('nothing') end
due_open(KEYS[4])
local due = lost and due_by(ARGV[18], at + ARGV[19]) or -1
local window = presence(ARGV[16], not lost and differs(key))
return done(answer('ok', window, due))
