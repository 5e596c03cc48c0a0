-- Gives the lease of an outbox back.
-- KEYS 1 scope:meta
-- ARGV 1 owner
-- Returns { released }
if lease_of(KEYS[1], 'ob') ~= ARGV[1] then return { 0 } end
return { redis.call('HDEL', KEYS[1], 'ob') }
