-- Where a user's sockets are.
-- KEYS 1 user:presence
-- ARGV 1 TTL (ms): entries not seen for so long do not count   2 most sockets that are told, drawn at random
-- Returns { last seen or 0, { sid, node, session epoch, role, last seen, scope }, … }
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local result = { tonumber(redis.call('HGET', KEYS[1], '@') or 0) }
local all = redis.call('HRANDFIELD', KEYS[1], tonumber(ARGV[2]) + 1, 'WITHVALUES')
for i = 1, #all, 2 do
  if all[i] ~= '@' then
    local node, session, role, seen, scope = string.match(all[i + 1], '^(%S+) (%d+) (%S+) (%d+) (.*)$')
    if now - seen <= tonumber(ARGV[1]) then result[#result + 1] = { all[i], node, session, role, seen, scope } end
  end
end
return result
