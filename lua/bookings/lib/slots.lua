-- Shared: slots of interview sessions. KEYS 1 is {interviews}:active of all slots; {interviews}:user:<userId> holds a user's.
-- Both: id → when the slot ends (ms): the lease of a reservation, the session's end of a confirmed one. What the first does
-- not hold is no slot, whatever the second says.
local call, ACTIVE = redis.call, KEYS[1]
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function ms(number) return string.format('%.0f', number) end

-- A session is over at its end, not after it: PostgreSQL counts `server_end_time > now()`.
local function purge(key) call('ZREMRANGEBYSCORE', key, '-inf', ms(now)) end

-- A user's set goes with its last slot, so that it does not outlive those who never come back.
local function keep_until_last(key)
  local last = call('ZREVRANGE', key, 0, 0, 'WITHSCORES')
  if last[2] then call('PEXPIREAT', key, ms(tonumber(last[2]))) end
end

local function remove_if(key, id, score)
  local held = call('ZSCORE', key, id)
  if not held or (score ~= '' and tonumber(held) ~= tonumber(score)) then return 0 end
  return call('ZREM', key, id)
end

local function put(user, id, ends)
  call('ZADD', ACTIVE, ends, id)
  call('ZADD', user, ends, id)
  keep_until_last(user)
end

-- A session that is over has no slot.
local function put_session(user, id, ends)
  if tonumber(ends) > now then
    put(user, id, ends)
  else
    call('ZREM', ACTIVE, id)
    call('ZREM', user, id)
  end
end
