-- The audit trail, ascending.
-- KEYS 1 sos:state   2 sos:events
-- ARGV 1 after this id   2 limit
-- Returns { 0 } without state, else { 1, entry, … }, entry = { id, event, user, role, socket, source, time, note, status, old }
if redis.call('EXISTS', KEYS[1]) == 0 then return { 0 } end
local result = { 1 }
for _, entry in ipairs(redis.call('XRANGE', KEYS[2], '(' .. ARGV[1], '+', 'COUNT', ARGV[2])) do
  local line, f = { entry[1] }, entry[2]
  for i = 2, 18, 2 do line[#line + 1] = f[i] end
  result[#result + 1] = line
end
return result
