-- Copies of events that watchers have not had yet: some of those that the list in scope:meta names, or, in steps, all.
-- KEYS 1 scope:meta
-- ARGV 1 '' those that the list names, else the cursor of a search for all (0: from the first)
-- Returns { cursor to go on from or 0, id, body, id, body, … }
local call, META = redis.call, KEYS[1]
local MOST = 32
local copies = { '0' }
if ARGV[1] ~= '' then
  local step = call('HSCAN', META, ARGV[1], 'MATCH', 'w:*', 'COUNT', 512)
  copies[1] = step[1]
  for i = 1, #step[2], 2 do
    copies[#copies + 1] = string.sub(step[2][i], 3)
    copies[#copies + 1] = step[2][i + 1]
  end
  return copies
end
local named = call('HGET', META, 'wo') or ''
local ids, rest = {}, 1
for id, after in string.gmatch(named, '(%S+)()') do
  ids[#ids + 1], rest = id, after
  if #ids == MOST then break end
end
if #ids == 0 then return copies end
local fields = {}
for i, id in ipairs(ids) do fields[i] = 'w:' .. id end
local left = {}
for i, body in ipairs(call('HMGET', META, unpack(fields))) do
  if body then
    left[#left + 1] = ids[i]
    copies[#copies + 1] = ids[i]
    copies[#copies + 1] = body
  end
end
-- Some are forwarded by a node that does not know the list.
if #left < #ids then call('HSET', META, 'wo', table.concat(left, ' ') .. string.sub(named, rest)) end
return copies
