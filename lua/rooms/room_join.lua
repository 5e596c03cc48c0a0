-- A socket joins a room whose presence is announced.
-- KEYS 1 scope:meta   2 scope:log   3 scope:members
-- ARGV 1–11 as in lib/room.lua   12 node   13 session epoch   14 recovered: not announced again ('1' or '')
--      15 presence window (ms)   16 head of the announcement, JSON
-- Returns { 'joined', …, first, position, epoch, ms to the end of the presence window or -1 }
-- Safe to repeat by itself: a member that joins again announces nothing.
LOG, MEMBERS, HEAD = KEYS[2], KEYS[3], ARGV[16]
open('', DUPLICATE)
-- What is logged from here on is for the new member, its own announcement included.
ensure()
put('pn', 1)
local position = last
listen(ARGV[12])
local first = member_put(SID, KEY, USER, ROLE, ARGV[12], ARGV[13])
local window = presence(ARGV[15], first and ARGV[14] ~= '1' and is_noted(KEY) or differs(KEY))
keep(now, META, LOG, MEMBERS)
commit()
return answer('joined', first and 1 or 0, position, epoch, window)
