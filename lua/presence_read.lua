-- Where a user's sockets are.
-- KEYS 1 user:presence
-- ARGV 1 TTL (ms): entries not seen for so long do not count
-- Returns { last seen or 0, { sid, node, session epoch, role, last seen, scope }, … }
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local result, all = { 0 }, redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if all[i] == '@' then
    result[1] = tonumber(all[i + 1])
  else
    local node, session, role, seen, scope = string.match(all[i + 1], '^(%S+) (%d+) (%S+) (%d+) (.*)$')
    if now - seen <= tonumber(ARGV[1]) then result[#result + 1] = { all[i], node, session, role, seen, scope } end
  end
end
return result
