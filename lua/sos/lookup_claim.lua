-- Takes the next turn to look a provisional SOS up again. All nodes share the turns.
-- KEYS 1 sos:state   2 scope:members   3 scope:due
-- ARGV 1 between two turns (ms)
-- Returns { 1 } the turn is taken; { 0, ms } the next turn comes then (this one is not due, or there are no members); { -1 } it
--         is not provisional (any more), or is over
-- The timer `lookup` is set to the next turn, or cleared.
local state = call('HMGET', KEYS[1], 'status', 'prov', 'lu')
clock()
due_open(KEYS[3])
if not state[1] or not state[2] or FINAL[state[1]] then return { due_clear('lookup') } end
local every = tonumber(ARGV[1])
local has_members = false
for _, field in ipairs(call('HKEYS', KEYS[2])) do
  has_members = has_members or (field ~= '_' and string.byte(field) ~= 64) -- '@'
end
if not has_members then return { 0, due_at('lookup', now + every) } end
local left = tonumber(state[3] or 0) + every - now
-- If the clock was set back, the wait is not longer than usual.
if left > 0 and left <= every then return { 0, due_at('lookup', now + left) } end
call('HSET', KEYS[1], 'lu', now)
due_at('lookup', now + every)
return { 1 }
