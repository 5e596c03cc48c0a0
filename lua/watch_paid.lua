-- These copies are published.
-- KEYS 1 scope:meta
-- ARGV ids
-- Returns { removed }
if #ARGV == 0 then return { 0 } end
for i = 1, #ARGV do ARGV[i] = 'w:' .. ARGV[i] end
return { redis.call('HDEL', KEYS[1], unpack(ARGV)) }
