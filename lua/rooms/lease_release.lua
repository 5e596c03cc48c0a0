-- Gives a lease back.
-- KEYS 1 scope:meta
-- ARGV 1 field   2 owner
-- Returns { released }
if lease_of(KEYS[1], ARGV[1]) ~= ARGV[2] then return { 0 } end
return { redis.call('HDEL', KEYS[1], ARGV[1]) }
