-- Gives the lease of an outbox back.
-- KEYS 1 scope:meta
-- ARGV 1 owner
-- Returns { released }
local owner = string.match(redis.call('HGET', KEYS[1], 'ob') or '', '^%d+ (.*)$')
if owner ~= ARGV[1] then return { 0 } end
return { redis.call('HDEL', KEYS[1], 'ob') }
