-- Shared: a lease, in a field of a hash: `<until> <owner>`.

local function lease_now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Whose the lease is, if anybody's, and until when.
local function lease_of(key, field)
  local stop, owner = string.match(redis.call('HGET', key, field) or '', '^(%d+) (.*)$')
  return owner, tonumber(stop)
end

local function lease_put(key, field, owner, now, ms)
  redis.call('HSET', key, field, now + ms .. ' ' .. owner)
  -- The work may outlive the scope: a lease must not leave the hash behind for ever.
  if redis.call('PTTL', key) == -1 then redis.call('PEXPIRE', key, 90000000) end
end
