-- Writes the record of a connection, unless somebody has taken it over: a higher epoch, or the same one of another node.
-- KEYS 1 session
-- ARGV 1 node   2 epoch   3 TTL (ms)   4 poison: the client closed by itself after a replay from this offset ('' no)
--      then field, value, …: all that the record holds beside node, epoch and poison
-- Returns { written }
-- Safe to repeat by itself.
local key, epoch = KEYS[1], tonumber(ARGV[2])
local old = redis.call('HMGET', key, 'epoch', 'node', 'poison')
local held = tonumber(old[1] or 0)
if held > epoch or (held == epoch and old[2] ~= ARGV[1]) then return { 0 } end
local poison = old[3]
if ARGV[4] ~= '' then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local count, since, offset = string.match(poison or '', '^(%d+) (%d+) (.*)$')
  if offset ~= ARGV[4] or now - since > 10000 then count, since = 0, now end
  poison = string.format('%d %.0f %s', count + 1, since, ARGV[4])
end
redis.call('DEL', key)
redis.call('HSET', key, 'node', ARGV[1], 'epoch', ARGV[2])
for i = 5, #ARGV, 1000 do redis.call('HSET', key, unpack(ARGV, i, math.min(i + 999, #ARGV))) end
if poison then redis.call('HSET', key, 'poison', poison) end
redis.call('PEXPIRE', key, ARGV[3])
return { 1 }
