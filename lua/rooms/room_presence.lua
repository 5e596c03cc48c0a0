-- Announces users whose presence has changed in a room, and, once, users whose last connection was lost longer than the grace ago.
-- KEYS 1 scope:meta   2 scope:log   3 scope:members   4 scope:due
-- ARGV 1–11 as in lib/room.lua   12 grace (ms; '' only changes)   13 presence window (ms)   14 head of the announcement, JSON
--      15 timer by which the lost are announced
-- Returns { 'ok' or 'nothing', …, ms until another user is due or -1 (the timer is set to then), ms to the end of the presence
--         window or -1 }
LOG, MEMBERS, HEAD = KEYS[2], KEYS[3], ARGV[14]
local first = open(KEY, DUPLICATE)
if first then return first end
local gone, wait, grace = {}, -1, tonumber(ARGV[12])
due_open(KEYS[4])
if grace then
  gone, wait = show_gone(grace)
  wait = wait < 0 and due_clear(ARGV[15]) or due_at(ARGV[15], now + math.max(wait + 1, tonumber(ARGV[13])))
end
-- A user with other sockets is never due. When no user is due any more, what was noted of it is announced.
local window = presence(ARGV[13], #gone > 0 or grace and wait < 0 and has_notes())
if #gone == 0 and least < 0 then
  if epoch then commit() end
  return answer('nothing', wait, window)
end
return done(answer('ok', wait, window))
