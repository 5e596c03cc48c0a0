-- A user's socket is gone, if node and session epoch match.
-- KEYS 1 user:presence
-- ARGV 1 sid   2 node   3 session epoch   4 TTL (ms)
-- Returns { removed }
local node, session = string.match(redis.call('HGET', KEYS[1], ARGV[1]) or '', '^(%S+) (%d+) ')
if node ~= ARGV[2] or tonumber(session) ~= tonumber(ARGV[3]) then return { 0 } end
local time = redis.call('TIME')
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], '@', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return { 1 }
