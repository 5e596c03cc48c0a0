-- A node is dead: it listens no longer, and its members count as lost at the time of its last lease.
-- KEYS 1 scope:meta   2 scope:members   3 scope:due
-- ARGV 1 node   2 lost at (ms)   3 timer that is set for when lost members have been away too long ('' none)   4 how long (ms)
-- Returns { members that were lost, listeners that are left, there are more to lose, ms until that timer is due or -1 }
-- Safe to repeat by itself.
MEMBERS = KEYS[2]
clock()
local node, at = ARGV[1], tonumber(ARGV[2])
if at == 0 or at > now then at = now end
if call('HDEL', META, 'n:' .. node) == 1 then call('HINCRBY', META, 'nl', -1) end
due_open(KEYS[3])
local lost, LIMIT = 0, 100

-- The timer is told also if nobody was left to lose: the node that has set it may have died before it wrote the hint.
local function result(more)
  local due = -1
  if ARGV[3] ~= '' then
    if lost > 0 then due_by(ARGV[3], at + ARGV[4]) end
    local set = call('ZSCORE', DUE, ARGV[3])
    if set then due = math.max(set - now, 0) end
  end
  return { lost, tonumber(call('HGET', META, 'nl') or 0), more, due }
end

local all = call('HGETALL', MEMBERS)
for i = 1, #all, 2 do
  local of, session = string.match(all[i + 1], '^%S+ %S+ (%S+) (%d+) %d+ %d+$')
  if of == node and string.byte(all[i]) ~= 64 then -- '@'
    if lost == LIMIT then return result(1) end
    member_drop(all[i], node, session, at, false)
    lost = lost + 1
  end
end
return result(0)
