-- A dead node has been reaped: nothing is left to do but to tell it, should it come back. Old certificates go, too.
-- KEYS 1 cluster:nodes
-- ARGV 1 node   2 how long certificates are kept (ms)
-- Returns { certificates that went }
local call = redis.call
if call('HEXISTS', KEYS[1], 'x:' .. ARGV[1]) == 1 then call('HDEL', KEYS[1], ARGV[1]) end
local time = call('TIME')
local oldest = time[1] * 1000 - ARGV[2]
local all, gone = call('HGETALL', KEYS[1]), 0
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 2) == 'x:' and tonumber(string.match(all[i + 1], '^%d+')) < oldest then
    gone = gone + call('HDEL', KEYS[1], all[i])
  end
end
return { gone }
