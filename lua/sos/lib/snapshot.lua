-- Shared: the state of an SOS and its members, as SosSnapshot reads them: only the fields that it needs. The last locations are as
-- long as both: who needs those of a large room reads them by a call of its own, sos_locations.

local SHOWN = { 'status', 'createdAt', 'updatedAt', 'ackAt', 'closedAt', 'prov', 'citizen', 'ackBy', 'closedBy', 'reason', 'type',
  'soNo', 'address' }

local function matching(key, pattern)
  return redis.call('HSCAN', key, 0, 'MATCH', pattern, 'COUNT', 1000000)[2]
end

-- State and members, each as field, value, …
local function snapshot_of(state_key, members_key)
  local state = matching(state_key, 'r:*')
  for i, value in ipairs(redis.call('HMGET', state_key, unpack(SHOWN))) do
    if value then
      state[#state + 1] = SHOWN[i]
      state[#state + 1] = value
    end
  end
  return state, redis.call('HGETALL', members_key)
end
