-- A dead node has been reaped: nothing is left to do but to tell it, should it come back. Old certificates go, too.
-- KEYS 1 cluster:nodes
-- ARGV 1 node   2 how long certificates are kept (ms)
-- Returns { certificates that went }, some hundreds at most: the others go with the next one
local call = redis.call
if call('HEXISTS', KEYS[1], 'x:' .. ARGV[1]) == 1 then call('HDEL', KEYS[1], ARGV[1]) end
local time = call('TIME')
local oldest = time[1] * 1000 - ARGV[2]
local few, gone = call('HRANDFIELD', KEYS[1], 512, 'WITHVALUES'), {}
for i = 1, #few, 2 do
  if string.sub(few[i], 1, 2) == 'x:' and tonumber(string.match(few[i + 1], '^%d+')) < oldest then gone[#gone + 1] = few[i] end
end
if #gone > 0 then call('HDEL', KEYS[1], unpack(gone)) end
return { #gone }
