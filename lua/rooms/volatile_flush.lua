-- Sends what waits for the end of its window, if that is over. The first node that comes sends it.
-- KEYS 1 scope:meta   2 newest (a hash, as in volatile_send)
-- ARGV 1–6 as in scope/lib/scope   7 key   8 window (ms)
-- Returns { 'ok' sent or 'nothing', heard or -1, listeners, time, 0, ms to the window's end or -1 }
-- Safe to repeat by itself.
open('', 5)
local key = ARGV[7]
local stop, waits = string.match(call('HGET', KEYS[2], 'w:' .. key) or '', '^(%d+) (%d)$')
local body = waits == '1' and call('HGET', KEYS[2], 'f:' .. key)
if not body or not epoch then return { 'nothing', -1, listeners, now, 0, -1 } end
local left = stop - now
if left > 0 and left <= tonumber(ARGV[8]) then return { 'nothing', -1, listeners, now, 0, left } end
publish_volatile(body)
call('HSET', KEYS[2], 'w:' .. key, now + ARGV[8] .. ' 0')
return { 'ok', least, listeners, now, 0, -1 }
