-- A node listens no longer.
-- KEYS 1 scope:meta
-- ARGV 1 node
-- Returns { listeners }
if call('HDEL', META, 'n:' .. ARGV[1]) == 0 then return { tonumber(call('HGET', META, 'nl') or 0) } end
return { call('HINCRBY', META, 'nl', -1) }
