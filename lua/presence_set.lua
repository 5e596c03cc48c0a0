-- A user's socket is there. `<sid>` → `<node> <session epoch> <role> <last seen> <scope>`; `@` → when any was last seen.
-- KEYS 1 user:presence
-- ARGV 1 sid   2 node   3 session epoch   4 role   5 scope   6 TTL (ms)
-- Returns { written }: a newer session's entry is left alone.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local session = string.match(redis.call('HGET', KEYS[1], ARGV[1]) or '', '^%S+ (%d+) ')
if session and tonumber(session) > tonumber(ARGV[3]) then return { 0 } end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. ARGV[4] .. ' ' .. now .. ' ' .. ARGV[5], '@', now)
redis.call('PEXPIRE', KEYS[1], ARGV[6])
return { 1 }
