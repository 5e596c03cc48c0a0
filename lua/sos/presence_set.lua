-- A user's socket is there. `<sid>` → `<node> <session epoch> <role> <last seen> <scope>`; `@` → when any was last seen.
-- KEYS 1 user:presence
-- ARGV 1 sid   2 node   3 session epoch   4 role   5 scope   6 TTL (ms)   7 most sockets that are noted
-- Returns { written }: a newer session's entry is left alone.
-- A new socket over the limit takes the place of the one that of a few, drawn at random, was seen longest ago.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local session = string.match(redis.call('HGET', KEYS[1], ARGV[1]) or '', '^%S+ (%d+) ')
if session and tonumber(session) > tonumber(ARGV[3]) then return { 0 } end
for _ = 1, not session and redis.call('HLEN', KEYS[1]) > tonumber(ARGV[7]) and 2 or 0 do
  local oldest, seen_then
  local few = redis.call('HRANDFIELD', KEYS[1], 16, 'WITHVALUES')
  for i = 1, #few, 2 do
    local seen = tonumber(string.match(few[i + 1], '^%S+ %d+ %S+ (%d+) ') or nil)
    if seen and (not seen_then or seen < seen_then) then oldest, seen_then = few[i], seen end
  end
  if oldest then redis.call('HDEL', KEYS[1], oldest) end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. ARGV[4] .. ' ' .. now .. ' ' .. ARGV[5], '@', now)
redis.call('PEXPIRE', KEYS[1], ARGV[6])
return { 1 }
