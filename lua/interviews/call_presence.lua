-- Looks who is there in the call of an interview: those whose connection was lost a grace ago or more are not, which is announced with
-- what else has changed.
-- KEYS 1 scope:meta   2 scope:log   3 scope:members   4 interview:call   5 scope:due
-- ARGV 1–11 as in rooms/lib/room.lua   12 presence window (ms)   13 grace (ms)   14 timer by which the lost are looked at
-- Returns { 'ok' or 'nothing', …, ms until somebody else is due or -1 (the timer is set to then), ms to the end of the presence
--         window or -1 }
LOG, MEMBERS, CALL = KEYS[2], KEYS[3], KEYS[4]
local first = open(KEY, DUPLICATE)
if first then return first end
due_open(KEYS[5])
local window = tonumber(ARGV[12])
local there, gone, wait = judge(tonumber(ARGV[13]))
wait = wait < 0 and due_clear(ARGV[14]) or due_at(ARGV[14], now + math.max(wait + 1, window))
local r, left = call('HMGET', CALL, 'pe', 'pw'), -1
if gone > 0 or r[2] == '1' then
  left = window_left(window, r[1])
  if left > 0 then
    call('HSET', CALL, 'pw', 1)
  else
    announce(there, window)
    left = -1
  end
end
if gone == 0 and least < 0 then
  if epoch then commit() end
  return answer('nothing', wait, left)
end
live_on(MEMBERS, CALL)
return done(answer('ok', wait, left))
