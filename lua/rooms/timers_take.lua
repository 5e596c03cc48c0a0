-- Takes the scopes at which it is time to look, the longest overdue first. A scope that is taken is left out of the next calls
-- for a while; if it is not settled by then, any node may take it again.
-- KEYS 1 timers:{n}
-- ARGV 1 most scopes   2 for how long they are taken (ms)
-- Returns { kind:id, score by which it is settled, … }
-- Safe to repeat by itself: what the first call took is taken again a little later.
local found = call('ZRANGE', KEYS[1], '-inf', '(' .. (now + 1), 'BYSCORE', 'LIMIT', 0, ARGV[1], 'WITHSCORES')
if #found == 0 then return found end
local scores = {}
for i = 1, #found, 2 do
  local score = now + ARGV[2] + TAKEN
  if is_empty(tonumber(found[i + 1])) then score = score + EMPTY end
  found[i + 1] = text(score)
  scores[i], scores[i + 1] = found[i + 1], found[i]
end
call('ZADD', KEYS[1], unpack(scores))
return found
