-- Takes one request from a caller's quota: GCRA whose burst is the limit, told as a bucket that leaks.
--
-- The bucket is counted in 1/limit ms, so that all is whole numbers: a request adds `period`, a millisecond takes away
-- `limit`, and it holds `limit * period`. Nothing is rounded before the answer, so no quota drifts.
--
-- KEYS 1 limit
-- ARGV 1 limit   2 period (ms)   3 operation id, no spaces
-- Returns { allowed, remaining, ms until one more would pass (0: now), ms until the bucket is empty }
-- limit: `<last request (ms)> <what the bucket held then> <operation id> …`, the newest eight ids: a repeat costs nothing.
local call = redis.call
local limit, period = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local whole = limit * period
local held, ids = 0, {}
local at, was, done = string.match(call('GET', KEYS[1]) or '', '^(%d+) (%d+)(.*)$')
if at then
  at = tonumber(at)
  -- A clock that was set back takes nothing away; a bucket filled under another limit is full at most.
  held = math.min(whole, math.max(0, was - math.max(0, now - at) * limit))
  for id in string.gmatch(done, '%S+') do ids[#ids + 1] = id end
end

local again = false
for _, id in ipairs(ids) do again = again or id == ARGV[3] end
local allowed = again or held + period <= whole
local counts = allowed and not again
if counts then
  held = held + period
  table.insert(ids, 1, ARGV[3])
end
-- After a refusal only if the clock was set back: from now on the bucket leaks by the new one.
if counts or (at and now < at) then
  local value = string.format('%.0f %.0f %s', now, held, table.concat(ids, ' ', 1, math.min(8, #ids)))
  call('SET', KEYS[1], value, 'PX', string.format('%.0f', math.ceil(held / limit)))
end
local wait = math.max(0, math.ceil((held + period - whole) / limit))
return { allowed and 1 or 0, math.floor((whole - held) / period), wait, math.ceil(held / limit) }
