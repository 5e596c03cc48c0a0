-- Reads which nodes this master knows of, which of them are declared dead, and who holds the leases asked for.
-- KEYS 1 cluster:nodes   then cluster:node of every label that is asked for
-- Returns { { field, value, … of cluster:nodes }, holder or '', … }
local result = { redis.call('HGETALL', KEYS[1]) }
for i = 2, #KEYS do result[i] = redis.call('HGET', KEYS[i], 'node') or '' end
return result
