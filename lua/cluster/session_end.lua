-- A connection has ended for good: nobody comes back to it. Not if somebody else has taken it over.
-- KEYS 1 session
-- ARGV 1 node   2 epoch
-- Returns { ended }
local old = redis.call('HMGET', KEYS[1], 'epoch', 'node')
local held, epoch = tonumber(old[1] or 0), tonumber(ARGV[2])
if held > epoch or (held == epoch and old[2] ~= ARGV[1]) then return { 0 } end
return { redis.call('DEL', KEYS[1]) }
