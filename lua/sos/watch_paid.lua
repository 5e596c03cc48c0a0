-- Removes copies that are published.
-- KEYS 1 scope:meta
-- ARGV ids
-- Returns { removed }
if #ARGV == 0 then return { 0 } end
local fields, published, left = {}, {}, {}
for i, id in ipairs(ARGV) do
  fields[i] = 'w:' .. id
  published[id] = true
end
local named = redis.call('HGET', KEYS[1], 'wo')
for id in string.gmatch(named or '', '%S+') do
  if not published[id] then left[#left + 1] = id end
end
if named then redis.call('HSET', KEYS[1], 'wo', table.concat(left, ' ')) end
return { redis.call('HDEL', KEYS[1], unpack(fields)) }
