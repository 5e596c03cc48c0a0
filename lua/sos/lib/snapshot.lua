-- Shared: the whole state of an SOS, as SosSnapshot reads it: only the fields that it needs.

local SHOWN = { 'status', 'createdAt', 'updatedAt', 'ackAt', 'closedAt', 'prov', 'citizen', 'ackBy', 'closedBy', 'reason', 'type',
  'soNo', 'address' }

local function matching(key, pattern)
  return redis.call('HSCAN', key, 0, 'MATCH', pattern, 'COUNT', 1000000)[2]
end

-- State, locations and members, each as field, value, …
local function snapshot_of(state_key, location_key, members_key)
  local state = matching(state_key, 'r:*')
  for i, value in ipairs(redis.call('HMGET', state_key, unpack(SHOWN))) do
    if value then
      state[#state + 1] = SHOWN[i]
      state[#state + 1] = value
    end
  end
  return state, matching(location_key, 'f:*'), redis.call('HGETALL', members_key)
end
