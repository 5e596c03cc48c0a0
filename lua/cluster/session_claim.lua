-- Takes a connection over: raises its epoch and makes this node its owner, if user and role are the record's.
-- KEYS 1 session
-- ARGV 1 operation id   2 user   3 role   4 node   5 TTL (ms)   6 the client's offset ('' none)
-- Returns { 'claimed', epoch, owner before, epoch before, poisoned, parked, fields, … }; { 'other' }; { 'missing' }
-- Poisoned: from this offset the client has closed twice within 10 s. A repeat gets the first answer.
local key = KEYS[1]
local r = redis.call('HMGET', key, 'user', 'role', 'epoch', 'node', 'poison', 'op', 'was', 'parked')
if not r[3] then return { 'missing' } end
if r[1] ~= ARGV[2] or r[2] ~= ARGV[3] then return { 'other' } end
local epoch, owner, parked = tonumber(r[3]) + 1, r[4], r[8] and 1 or 0
if r[6] == ARGV[1] then
  epoch, owner, parked = tonumber(r[3]), string.match(r[7], '^(%S+) (%d)$')
else
  redis.call('HSET', key, 'epoch', epoch, 'node', ARGV[4], 'op', ARGV[1], 'was', owner .. ' ' .. parked)
  redis.call('HDEL', key, 'parked')
end
redis.call('PEXPIRE', key, ARGV[5])
local poisoned = 0
if r[5] and ARGV[6] ~= '' then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local count, since, offset = string.match(r[5], '^(%d+) (%d+) (.*)$')
  if offset == ARGV[6] and tonumber(count) >= 2 and now - since <= 10000 then poisoned = 1 end
end
return { 'claimed', epoch, owner, epoch - 1, poisoned, tonumber(parked), redis.call('HGETALL', key) }
