-- An event of which only the newest counts: sent at once, or kept until its window ends.
-- KEYS 1 scope:meta   2 newest (a hash)
-- ARGV 1–6 as in scope/lib/scope   7 key: whose window it is, no spaces   8 window (ms)   9 audience   10 socket that does not get
--      it ('-' none)   11 args array
-- Returns { 'ok' sent or 'coalesced', heard or -1, listeners, time, 0, ms to the window's end }
-- The hash holds f:<key> → the body that was sent or waits, w:<key> → `<window's end> <it waits>`.
-- Safe to repeat by itself: what was sent just now waits then for the end of its window.
open('', 5)
ensure()
local key, window = ARGV[7], tonumber(ARGV[8])
local stop = tonumber(string.match(call('HGET', KEYS[2], 'w:' .. key) or '', '^(%d+) ')) or 0
local body = ARGV[9] .. ' ' .. ARGV[10] .. ' ' .. key .. ' -\n' .. ARGV[11]
local outcome, left = 'ok', stop - now
if left <= 0 or left > window then -- far ahead: Redis' clock was set back
  publish_volatile(body)
  left = window
  call('HSET', KEYS[2], 'f:' .. key, body, 'w:' .. key, now + window .. ' 0')
else
  outcome = 'coalesced'
  call('HSET', KEYS[2], 'f:' .. key, body, 'w:' .. key, stop .. ' 1')
end
if call('PTTL', KEYS[2]) < KEEP_MS - 3600000 then call('PEXPIRE', KEYS[2], KEEP_MS) end
commit()
return { outcome, least, listeners, now, 0, left }
