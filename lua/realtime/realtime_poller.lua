-- Takes or renews the lease of the node that polls LiveKit. It only saves work: two that poll do no harm.
-- KEYS 1 realtime:poller
-- ARGV 1 the node   2 how long (ms)
-- Returns { now (ms), left (ms) }: left is 0 if the lease is the node's, else when the other one's ends
local call, time = redis.call, redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local owner = call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return { now, math.max(call('PTTL', KEYS[1]), 1) } end
call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return { now, 0 }
