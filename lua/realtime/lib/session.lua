-- Shared: a session that is being changed. KEYS 1 is its hash.
local call, SESSION = redis.call, KEYS[1]

local function now_ms()
  local time = call('TIME')
  return string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
end

-- Writes fields. A decision on what was read before does not count any more (`rev`), and the session is kept for so long (ms)
-- from now on.
local function change(life, ...)
  call('HINCRBY', SESSION, 'rev', 1)
  call('HSET', SESSION, 'changed', now_ms(), ...)
  call('PEXPIRE', SESSION, life)
end
