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
if ARGV[3] ~= '' then noted = true end -- the timer is there to announce who was lost
local LIMIT = 100

-- When the timer is due is returned also if no member was lost: the node that set it may have died before it wrote the hint.
local function result(lost, more)
  local due = -1
  if ARGV[3] ~= '' then
    if lost > 0 then due_by(ARGV[3], at + ARGV[4]) end
    local set = call('ZSCORE', DUE, ARGV[3])
    if set then due = math.max(set - now, 0) end
  end
  return { lost, tonumber(call('HGET', META, 'nl') or 0), more, due }
end

-- Ends the memberships of these sockets, each with the key of its user.
local function lose(sids, keys)
  call('HDEL', MEMBERS, unpack(sids))
  local fields, count, changes = {}, {}, {}
  for _, key in ipairs(keys) do
    if not count[key] then fields[#fields + 1] = '@' .. key end
    count[key] = (count[key] or 0) + 1
  end
  for i, text in ipairs(call('HMGET', MEMBERS, unpack(fields))) do
    local key, entry = string.sub(fields[i], 2), user_of(text)
    if entry then
      local before = presence_of(entry)
      sockets_gone(entry, count[key], at, false)
      changes[#changes + 1] = { key = key, entry = entry, user = entry.user, before = before }
    end
  end
  users_put(changes)
end

local sids, keys, more = {}, {}, 0
local all = call('HGETALL', MEMBERS)
for i = 1, #all, 2 do
  if string.byte(all[i]) ~= 64 then -- '@'
    local key, of = string.match(all[i + 1], '^(%S+) %S+ (%S+) ')
    if of == node then
      if #sids == LIMIT then
        more = 1
        break
      end
      sids[#sids + 1], keys[#keys + 1] = all[i], key
    end
  end
end
if #sids > 0 then lose(sids, keys) end
return result(#sids, more)
