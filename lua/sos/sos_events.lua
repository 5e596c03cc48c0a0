-- The audit trail, ascending.
-- KEYS 1 sos:state   2 sos:events
-- ARGV 1 after this id   2 limit   3 bytes of notes after which the answer ends early
-- Returns { 0 } without state, else { 1, there are more, entry, … }, entry = { id, event, user, role, socket, source, time,
--         note, status, old }
if redis.call('EXISTS', KEYS[1]) == 0 then return { 0 } end
local CHUNK = 32 -- entries that are read at once
local result, limit, most, bytes, after = { 1, 0 }, tonumber(ARGV[2]), tonumber(ARGV[3]), 0, ARGV[1]
repeat
  local chunk = redis.call('XRANGE', KEYS[2], '(' .. after, '+', 'COUNT', CHUNK)
  for _, entry in ipairs(chunk) do
    if #result - 2 == limit or bytes >= most then
      result[2] = 1
      return result
    end
    local line, f = { entry[1] }, entry[2]
    for i = 2, 18, 2 do line[#line + 1] = f[i] end
    result[#result + 1] = line
    after, bytes = entry[1], bytes + #f[14]
  end
until #chunk < CHUNK
return result
