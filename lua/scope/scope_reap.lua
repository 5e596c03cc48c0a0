-- A node is dead: it listens no longer, and its members count as lost at the time of its last lease.
-- KEYS 1 scope:meta   2 scope:members
-- ARGV 1 node   2 lost at (ms)
-- Returns { members that were lost, listeners that are left, there are more to lose }
-- Safe to repeat by itself.
MEMBERS = KEYS[2]
clock()
local node, at = ARGV[1], tonumber(ARGV[2])
if at == 0 or at > now then at = now end
if call('HDEL', META, 'n:' .. node) == 1 then call('HINCRBY', META, 'nl', -1) end
local lost, LIMIT = 0, 250
local all = call('HGETALL', MEMBERS)
for i = 1, #all, 2 do
  local of, session = string.match(all[i + 1], '^%S+ %S+ (%S+) (%d+) %d+ %d+$')
  if of == node and string.byte(all[i]) ~= 64 then -- '@'
    if lost == LIMIT then return { lost, tonumber(call('HGET', META, 'nl') or 0), 1 } end
    member_drop(all[i], node, session, at, false)
    lost = lost + 1
  end
end
return { lost, tonumber(call('HGET', META, 'nl') or 0), 0 }
